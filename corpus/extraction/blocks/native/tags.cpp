#include "tags.hpp"

namespace gristmill {
namespace {

struct Known {
  const char* name;
  Tag tag;
};
// The first name of a tag is the one that is shown. Names that behave alike share a tag.
constexpr Known KNOWN[] = {
    {"html", TAG_HTML}, {"head", TAG_HEAD}, {"body", TAG_BODY}, {"div", TAG_DIV}, {"p", TAG_P},
    {"h1", TAG_H1}, {"h2", TAG_H2}, {"h3", TAG_H3}, {"h4", TAG_H4}, {"h5", TAG_H5}, {"h6", TAG_H6},
    {"ul", TAG_UL}, {"menu", TAG_UL}, {"dir", TAG_UL}, {"ol", TAG_OL}, {"li", TAG_LI},
    {"dl", TAG_DL}, {"dt", TAG_DT}, {"dd", TAG_DD},
    {"table", TAG_TABLE}, {"tbody", TAG_TBODY}, {"thead", TAG_THEAD}, {"tfoot", TAG_TFOOT}, {"tr", TAG_TR},
    {"td", TAG_TD}, {"th", TAG_TH}, {"caption", TAG_CAPTION},
    {"section", TAG_SECTION}, {"hgroup", TAG_SECTION}, {"search", TAG_SECTION}, {"article", TAG_ARTICLE},
    {"main", TAG_MAIN}, {"nav", TAG_NAV}, {"header", TAG_HEADER}, {"footer", TAG_FOOTER}, {"aside", TAG_ASIDE},
    {"form", TAG_FORM}, {"figure", TAG_FIGURE}, {"figcaption", TAG_FIGCAPTION}, {"blockquote", TAG_BLOCKQUOTE},
    {"pre", TAG_PRE}, {"listing", TAG_PRE}, {"button", TAG_BUTTON}, {"label", TAG_LABEL},
    {"select", TAG_SELECT}, {"option", TAG_OPTION}, {"optgroup", TAG_OPTION}, {"textarea", TAG_TEXTAREA},
    {"details", TAG_DETAILS}, {"summary", TAG_SUMMARY}, {"dialog", TAG_DIALOG}, {"fieldset", TAG_FIELDSET},
    {"address", TAG_ADDRESS}, {"center", TAG_CENTER},
    {"a", TAG_A}, {"span", TAG_SPAN}, {"b", TAG_B}, {"strong", TAG_STRONG}, {"i", TAG_I}, {"em", TAG_EM},
    {"u", TAG_U}, {"font", TAG_FONT}, {"small", TAG_SMALL}, {"big", TAG_SMALL}, {"s", TAG_SMALL},
    {"strike", TAG_SMALL}, {"nobr", TAG_SMALL}, {"code", TAG_CODE}, {"tt", TAG_CODE}, {"sup", TAG_SUP},
    {"sub", TAG_SUB}, {"time", TAG_TIME}, {"abbr", TAG_ABBR}, {"acronym", TAG_ABBR}, {"ins", TAG_INLINE},
    {"del", TAG_INLINE}, {"mark", TAG_INLINE}, {"q", TAG_INLINE}, {"cite", TAG_INLINE}, {"var", TAG_INLINE},
    {"kbd", TAG_INLINE}, {"samp", TAG_INLINE}, {"dfn", TAG_INLINE}, {"bdi", TAG_INLINE}, {"bdo", TAG_INLINE},
    {"data", TAG_INLINE}, {"picture", TAG_INLINE}, {"ruby", TAG_INLINE}, {"rb", TAG_INLINE}, {"rt", TAG_INLINE},
    {"rp", TAG_INLINE}, {"rtc", TAG_INLINE}, {"blink", TAG_INLINE}, {"output", TAG_INLINE},
    {"br", TAG_BR}, {"img", TAG_IMG}, {"image", TAG_IMG}, {"hr", TAG_HR}, {"input", TAG_INPUT},
    {"meta", TAG_META}, {"link", TAG_LINK}, {"wbr", TAG_VOID}, {"area", TAG_VOID}, {"base", TAG_VOID},
    {"basefont", TAG_VOID}, {"bgsound", TAG_VOID}, {"col", TAG_VOID}, {"embed", TAG_VOID}, {"frame", TAG_VOID},
    {"keygen", TAG_VOID}, {"param", TAG_VOID}, {"track", TAG_VOID}, {"source", TAG_VOID},
    {"script", TAG_SCRIPT}, {"style", TAG_STYLE}, {"noscript", TAG_NOSCRIPT}, {"title", TAG_TITLE},
    {"iframe", TAG_IFRAME}, {"svg", TAG_SVG}, {"template", TAG_TEMPLATE}, {"noembed", TAG_RAW},
    {"noframes", TAG_RAW}, {"xmp", TAG_RAW}, {"object", TAG_OBJECT}, {"video", TAG_MEDIA}, {"audio", TAG_MEDIA},
    {"canvas", TAG_MEDIA}, {"math", TAG_MATH}, {"plaintext", TAG_PLAINTEXT},
};

constexpr std::size_t LONGEST = 10;  // "blockquote", "figcaption"

// A name of at most ten bytes as a number; no two names share one.
struct Key {
  u64 first = 0;
  u16 rest = 0;
  bool operator==(const Key& other) const { return first == other.first && rest == other.rest; }
};
inline Key key_of(Span name) {
  Key key;
  for (std::size_t i = 0; i < name.size; i++) {
    const u8 c = lower(name.data[i]);
    if (i < 8) key.first |= static_cast<u64>(c) << (8 * i);
    else key.rest = static_cast<u16>(key.rest | c << (8 * (i - 8)));
  }
  return key;
}

class Table {
 public:
  Table() {
    for (const Known& known : KNOWN) {
      const Key key = key_of({reinterpret_cast<const u8*>(known.name), std::strlen(known.name)});
      u32 slot = place(key);
      while (tags_[slot]) slot = (slot + 1) % SIZE;
      keys_[slot] = key;
      tags_[slot] = known.tag;
      if (!names_[known.tag]) names_[known.tag] = known.name;
    }
    names_[TAG_UNKNOWN] = "unknown";
  }
  Tag find(Key key) const {
    for (u32 slot = place(key); tags_[slot]; slot = (slot + 1) % SIZE)
      if (keys_[slot] == key) return tags_[slot];
    return TAG_UNKNOWN;
  }
  const char* name(Tag tag) const { return names_[tag] ? names_[tag] : ""; }

 private:
  static constexpr u32 SIZE = 1024;
  static u32 place(const Key& key) {
    return static_cast<u32>(((key.first ^ (static_cast<u64>(key.rest) << 32)) * 0x9E3779B97F4A7C15ULL) >> 54);
  }
  Key keys_[SIZE] = {};
  Tag tags_[SIZE] = {};
  const char* names_[TAG_COUNT] = {};
};

const Table& table() {
  static const Table tags;
  return tags;
}

}  // namespace

Tag tag_of(Span name) {
  if (name.size > LONGEST || name.empty()) return TAG_UNKNOWN;
  return table().find(key_of(name));
}

const char* tag_name(Tag tag) { return table().name(tag); }

bool breaks_out(Tag t) {
  if (t == TAG_FONT || t == TAG_A) return false;
  if (is_inline(t)) return t != TAG_TIME && t != TAG_INLINE && t != TAG_ABBR;
  switch (t) {
    case TAG_BODY: case TAG_BR: case TAG_CENTER: case TAG_DD: case TAG_DIV: case TAG_DL: case TAG_DT:
    case TAG_HEAD: case TAG_HR: case TAG_IMG: case TAG_LI: case TAG_META: case TAG_OL: case TAG_P: case TAG_PRE:
    case TAG_TABLE: case TAG_UL: case TAG_BLOCKQUOTE:
    case TAG_H1: case TAG_H2: case TAG_H3: case TAG_H4: case TAG_H5: case TAG_H6:
      return true;
    default:
      return false;
  }
}

}  // namespace gristmill
