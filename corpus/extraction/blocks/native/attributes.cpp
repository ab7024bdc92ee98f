#include "attributes.hpp"

#include <algorithm>

namespace gristmill {
namespace {

constexpr std::size_t LONGEST_CLASS = 40;  // longer ones are generated and never seen twice
// Class names, roles, item properties and parts of names are told apart by their hash's start.
constexpr u32 ROLE_SEED = 0x1234567u;
constexpr u32 ITEMPROP_SEED = 0x7654321u;
constexpr u32 PART_SEED = HASH_START ^ 0x77;
constexpr std::size_t LONGEST_LANGUAGE = 20;
// Cells that span more columns or rows do it for show.
constexpr int MAX_SPAN = 20;

u8 span_of(Span value) { return static_cast<u8>(std::clamp(to_number(value, 1), 1, MAX_SPAN)); }

u32 flag_of(Tag tag) {
  switch (tag) {
    case TAG_NAV: return FLAG_NAV;
    case TAG_HEADER: return FLAG_HEADER;
    case TAG_FOOTER: return FLAG_FOOTER;
    case TAG_ASIDE: return FLAG_ASIDE;
    case TAG_FORM: return FLAG_FORM;
    case TAG_MAIN: return FLAG_MAIN;
    case TAG_ARTICLE: return FLAG_ARTICLE;
    case TAG_TABLE: return FLAG_TABLE;
    case TAG_UL:
    case TAG_OL: return FLAG_LIST;
    case TAG_FIGURE: return FLAG_FIGURE;
    case TAG_DIALOG: return FLAG_DIALOG;
    case TAG_BUTTON: return FLAG_BUTTON;
    case TAG_BLOCKQUOTE: return FLAG_QUOTE;
    case TAG_PRE: return FLAG_PRE;
    case TAG_SECTION: return FLAG_SECTION;
    case TAG_SELECT: return FLAG_SELECT;
    case TAG_NOSCRIPT: return FLAG_NOSCRIPT;
    case TAG_TEMPLATE: return FLAG_TEMPLATE;
    default: return is_heading(tag) ? u32{FLAG_HEADING} : 0u;
  }
}

// ARIA roles that stand for elements.
void add_role(Span value, const Tokenizer& attributes, Node& node) {
  if (equals(value, "navigation") || equals(value, "menu") || equals(value, "menubar")) node.flags |= FLAG_NAV;
  else if (equals(value, "main")) node.flags |= FLAG_MAIN;
  else if (equals(value, "banner")) node.flags |= FLAG_HEADER;
  else if (equals(value, "contentinfo")) node.flags |= FLAG_FOOTER;
  else if (equals(value, "complementary")) node.flags |= FLAG_ASIDE;
  else if (equals(value, "dialog") || equals(value, "alertdialog")) node.flags |= FLAG_DIALOG;
  else if (equals(value, "button")) node.flags |= FLAG_BUTTON;
  else if (equals(value, "article")) node.flags |= FLAG_ARTICLE;
  else if (equals(value, "heading") && !node.heading) {
    const Attribute* level = attributes.attribute("aria-level");
    node.heading = static_cast<u8>(std::clamp(to_number(level ? level->value : Span{}, 2), 1, 6));
    node.flags |= FLAG_HEADING;
  }
}

// Class names, whole and in parts ("post-body", "postBody": post, body), as slots of the class table.
void add_tokens(Span value, u32 seed, u32* signature, const Node& node, Page& page) {
  auto add = [&](u32 hash) {
    if (page.tokens.size() - node.first_token < MAX_NODE_TOKENS)
      page.tokens.push_back(static_cast<u16>(spread(hash, TOKEN_BITS)));
  };
  const u8* v = value.data;
  for (std::size_t i = 0; i < value.size;) {
    while (i < value.size && is_space(v[i])) i++;
    const std::size_t a = i;
    while (i < value.size && !is_space(v[i])) i++;
    if (i == a || i - a > LONGEST_CLASS) continue;
    const u32 whole = hash_bytes(seed, {v + a, i - a});
    if (signature) *signature = *signature * 31 + whole;
    add(whole);
    u32 part = 0;
    int letters = 0, parts = 0;
    for (std::size_t k = a; k <= i; k++) {
      const bool letter = k < i && is_letter(v[k]);
      const bool hump = letter && k > a && (CLASS[v[k]] & BYTE_UPPER) && is_letter(v[k - 1]) &&
                        !(CLASS[v[k - 1]] & BYTE_UPPER);
      if (!letter || hump) {
        if (letters >= 2 && (parts || k < i)) add(part);
        parts += letters > 0;
        letters = 0;
      }
      if (letter) {
        if (!letters++) part = PART_SEED;
        part = hash_byte(part, lower(v[k]));
      }
    }
  }
}

void add_attributes(const Tokenizer& attributes, Node& node, Page& page) {
  for (const Attribute& attribute : attributes) {
    const Span value = attribute.value;
    if (hides(attribute)) node.flags |= FLAG_HIDDEN;
    switch (attribute.name.size) {
      case 2:
        if (equals(attribute.name, "id")) add_tokens(value, HASH_START, nullptr, node, page);
        break;
      case 4:
        if (equals(attribute.name, "role") && !value.empty()) {
          add_role(value, attributes, node);
          add_tokens(value, ROLE_SEED, nullptr, node, page);
        }
        break;
      case 5:
        if (equals(attribute.name, "class")) add_tokens(value, HASH_START, &node.signature, node, page);
        else if (equals(attribute.name, "start") && node.tag == TAG_OL) node.ordinal = to_number(value, 1);
        break;
      case 7:
        if (is_cell(node.tag)) {
          if (equals(attribute.name, "colspan")) node.columns = span_of(value);
          else if (equals(attribute.name, "rowspan")) node.rows = span_of(value);
        }
        break;
      case 8:
        if (equals(attribute.name, "itemprop") && !value.empty()) {
          add_tokens(value, ITEMPROP_SEED, nullptr, node, page);
          if (equals(value, "articlebody") || equals(value, "description")) node.flags |= FLAG_ITEMPROP;
        }
        break;
      default:
        break;
    }
  }
}

}  // namespace

void describe(Tag tag, const Tokenizer& attributes, Node& node, Page& page) {
  node.flags |= flag_of(tag);
  switch (tag) {
    case TAG_FORM: page.forms++; break;
    case TAG_ARTICLE: page.articles++; break;
    case TAG_H1: page.first_headings++; break;
    case TAG_UL:
    case TAG_OL:
      node.list_depth = static_cast<u8>(std::min(node.list_depth + 1, 255));
      node.ordinal = 1;
      break;
    case TAG_BLOCKQUOTE:
      node.quote_depth = static_cast<u8>(std::min(node.quote_depth + 1, 255));
      break;
    default: break;
  }
  if (is_heading(tag)) node.heading = static_cast<u8>(tag - TAG_H1 + 1);
  add_attributes(attributes, node, page);
}

bool hides(const Attribute& attribute) {
  switch (attribute.name.size) {
    case 5:
      return equals(attribute.name, "style") && contains(attribute.value, "display") &&
             contains(attribute.value, "none");
    case 6:
      return equals(attribute.name, "hidden");
    case 11:
      return equals(attribute.name, "aria-hidden") && equals(attribute.value, "true");
    default:
      return false;
  }
}

bool has_class(Span classes, const char* name) {
  for (std::size_t i = 0; i < classes.size;) {
    while (i < classes.size && is_space(classes.data[i])) i++;
    const std::size_t start = i;
    while (i < classes.size && !is_space(classes.data[i])) i++;
    if (equals({classes.data + start, i - start}, name)) return true;
  }
  return false;
}

std::string language_of(Span classes) {
  for (const char* prefix : {"language-", "lang-", "highlight-source-", "brush:"}) {
    const std::size_t length = std::strlen(prefix);
    for (std::size_t i = 0; i + length < classes.size; i++) {
      if (i && !is_space(classes.data[i - 1])) continue;
      if (!starts_with({classes.data + i, classes.size - i}, prefix)) continue;
      std::size_t a = i + length;
      while (a < classes.size && classes.data[a] == ' ') a++;
      std::string language;
      for (; a < classes.size && language.size() < LONGEST_LANGUAGE; a++) {
        const u8 c = classes.data[a];
        if (!(CLASS[c] & BYTE_WORD) && c != '+' && c != '#' && c != '-') break;
        language += static_cast<char>(lower(c));
      }
      if (language == "none" || language == "plaintext") return "";
      return language;
    }
  }
  return "";
}

int to_number(Span text, int otherwise) {
  std::size_t i = 0;
  bool negative = false;
  while (i < text.size && is_space(text.data[i])) i++;
  if (i < text.size && (text.data[i] == '-' || text.data[i] == '+')) negative = text.data[i++] == '-';
  const std::size_t first = i;
  int value = 0;
  for (; i < text.size && is_digit(text.data[i]) && value < 100'000'000; i++) value = value * 10 + text.data[i] - '0';
  return i == first ? otherwise : negative ? -value : value;
}

}  // namespace gristmill
