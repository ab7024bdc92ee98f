#include "text.hpp"

#include <algorithm>

namespace gristmill {
namespace {

// Words of scripts without spaces, roughly: two Chinese or Japanese characters, four Thai letters and signs.
constexpr int IDEOGRAPHS_A_WORD = 2;
constexpr int SYLLABLES_A_WORD = 4;
constexpr u8 OTHER = 0x80;

bool is_currency(u32 c) { return c == '$' || (c >= 0xA2 && c <= 0xA5) || (c >= 0x20A0 && c < 0x20D0) || c == 0xFFE5; }

}  // namespace

void TextWriter::start(int node) {
  open_ = true;
  block_ = Block();
  block_.node = node;
  block_.begin = static_cast<u32>(page_.text.size());
  block_.first_word = static_cast<u32>(page_.words.size());
  block_.start = links ? 1 : bold ? 2 : 0;
  block_.images = waiting_images_;
  block_.links = waiting_links_ + (links > 0 && !waiting_links_);  // a link around blocks counts for each
  block_.hash = HASH_START;
  waiting_images_ = waiting_links_ = 0;
  in_word_ = false;
  pending_ = 0;
  last_ = OTHER;
  units_ = 0;
}

inline void TextWriter::end_word() {
  if (!in_word_) return;
  in_word_ = false;
  units_ = 0;
  block_.words++;
  block_.link_words += word_in_.link;
  block_.bold_words += word_in_.bold;
  block_.code_words += word_in_.code;
  block_.hidden_words += word_in_.hidden;
  block_.hash = block_.hash * 31 + word_hash_;
  page_.words.push_back(word_hash_);
}

// A word counts for the elements in which it begins: its end is seen only behind their end tags.
inline void TextWriter::start_word() {
  in_word_ = true;
  word_hash_ = HASH_START;
  word_in_ = {links > 0, bold > 0, code > 0, hidden > 0};
}

inline void TextWriter::word_byte(u8 c) { word_hash_ = hash_byte(word_hash_, c); }

// White space that waited for something to follow it.
inline void TextWriter::space() {
  if (!pending_) return;
  end_word();
  if (last_ == '.') block_.sentences++;
  last_ = OTHER;
  if (pending_ == 1) page_.text += ' ';
  else page_.text.append(pending_ - 1, '\n');
  block_.characters++;
  pending_ = 0;
}

void TextWriter::emit(u32 code_point, const u8* bytes, u32 length) {
  CharacterKind kind;
  if (code_point >= 0x80) {
    kind = kind_of(code_point);
  } else {  // from a reference
    const u8 k = CLASS[code_point];
    if (k & BYTE_SPACE) kind = KIND_SPACE;
    else if (k & BYTE_CONTROL) kind = KIND_NOTHING;
    else if (k & BYTE_UPPER) kind = KIND_UPPER;
    else if (k & BYTE_WORD) kind = KIND_LETTER;
    else if (code_point == '.' || code_point == '!' || code_point == '?') kind = KIND_STOP;
    else if (code_point == ',') kind = KIND_COMMA;
    else if (code_point == ')' || code_point == '"' || code_point == '\'') kind = KIND_CLOSE;
    else kind = KIND_PUNCTUATION;
  }
  if (kind == KIND_SPACE) {
    if (verbatim) {
      end_word();
      page_.text.append(reinterpret_cast<const char*>(bytes), length);
    } else if (open_ && !pending_) {
      pending_ = 1;
    }
    return;
  }
  if (kind == KIND_NOTHING) {
    // Variation selectors belong to the sign before them.
    if (code_point >= 0xFE00 && code_point <= 0xFE0F) page_.text.append(reinterpret_cast<const char*>(bytes), length);
    return;
  }
  space();
  page_.text.append(reinterpret_cast<const char*>(bytes), length);
  block_.characters++;
  switch (kind) {
    case KIND_UPPER:
    case KIND_LETTER: {
      if (units_) end_word();
      if (!in_word_) {
        start_word();
        block_.capital_words += kind == KIND_UPPER;
      }
      block_.upper += kind == KIND_UPPER;
      block_.digits += code_point < 0x80 && is_digit(static_cast<u8>(code_point));
      if (code_point < 0x80) {
        word_byte(lower(static_cast<u8>(code_point)));
      } else if (kind == KIND_UPPER) {
        u8 folded[4];
        const int size = encode(fold(code_point), folded);
        for (int i = 0; i < size; i++) word_byte(folded[i]);
      } else {
        for (u32 i = 0; i < length; i++) word_byte(bytes[i]);
      }
      last_ = OTHER;
      return;
    }
    case KIND_IDEOGRAPH:
    case KIND_SYLLABLE: {
      if (in_word_ && !units_) end_word();
      if (!in_word_) start_word();
      for (u32 i = 0; i < length; i++) word_byte(bytes[i]);
      if (++units_ >= (kind == KIND_IDEOGRAPH ? IDEOGRAPHS_A_WORD : SYLLABLES_A_WORD)) end_word();
      last_ = OTHER;
      return;
    }
    case KIND_STOP:
      end_word();
      // Full-width stops end a sentence by themselves; an ASCII one only before a space.
      if (code_point >= 0x80 && code_point != 0x2026) {
        block_.sentences++;
        last_ = ';';
      } else {
        last_ = '.';
      }
      return;
    case KIND_COMMA:
      end_word();
      block_.commas++;
      last_ = ',';
      return;
    case KIND_CLOSE:
      end_word();
      return;
    default:
      end_word();
      if (is_currency(code_point)) block_.price = 1;
      last_ = code_point == ':' || code_point == 0xFF1A ? ':' : OTHER;
  }
}

void TextWriter::add(Span source, int node) { append(source, node, true); }

void TextWriter::add_source(Span source, int node) { append(source, node, false); }

void TextWriter::append(Span source, int node, bool references) {
  if (muted) return;
  const u8* p = source.begin();
  const u8* const end = source.end();
  if (!open_) {
    while (p < end && is_space(*p) && !verbatim) p++;
    if (p == end) return;
    start(node);
  }
  while (p < end) {
    const u8 c = *p;
    const u8 k = CLASS[c];
    if (k & BYTE_WORD) {  // the usual: a run of ASCII letters and digits
      space();
      if (units_) end_word();
      if (!in_word_) {
        start_word();
        block_.capital_words += (k & BYTE_UPPER) != 0;
      }
      const u8* const begin = p;
      u32 hash = word_hash_;
      int upper = 0, digits = 0;
      u8 kind = k;
      do {
        hash = hash_byte(hash, kind & BYTE_UPPER ? *p | 32 : *p);
        upper += (kind & BYTE_UPPER) != 0;
        digits += (kind & BYTE_DIGIT) != 0;
        p++;
      } while (p < end && ((kind = CLASS[*p]) & BYTE_WORD));
      word_hash_ = hash;
      block_.upper += upper;
      block_.digits += digits;
      block_.characters += static_cast<int>(p - begin);
      page_.text.append(reinterpret_cast<const char*>(begin), p - begin);
      last_ = OTHER;
      continue;
    }
    if (k & BYTE_SPACE) {
      if (verbatim) {
        end_word();
        if (c != '\r') page_.text += static_cast<char>(c);  // "\r\n" is one line end
      } else if (!pending_) {
        pending_ = 1;
      }
      p++;
      continue;
    }
    if (c == '&' && references) {
      const Reference reference = read_reference(p, end, false);
      if (reference.length) {
        for (u32 i = 0; i < reference.size;) {
          const Decoded one = decode(reference.text + i, reference.text + reference.size);
          emit(one.code_point, reference.text + i, one.length);
          i += one.length;
        }
        p += reference.length;
        continue;
      }
    }
    if (k & BYTE_CONTROL) {
      p++;
      continue;
    }
    const Decoded one = decode(p, end);
    emit(one.code_point, p, one.length);
    p += one.length;
  }
}

void TextWriter::add_formula(Span source, int node, const char* before, const char* after) {
  if (muted || source.empty()) return;
  if (!open_) start(node);
  space();
  end_word();
  page_.text += before;
  page_.text.append(reinterpret_cast<const char*>(source.data), source.size);
  page_.text += after;
  block_.characters += 8;  // a short formula's width: mark-up says nothing of it
  block_.flags |= FLAG_MATH;
  start_word();
  word_hash_ = hash_bytes(HASH_START, source);
  end_word();
  last_ = OTHER;
  formula_end_ = page_.text.size();
}

void TextWriter::line_break() {
  if (!open_ || muted) return;
  block_.breaks++;
  if (verbatim) {
    end_word();
    page_.text += '\n';
  } else {
    pending_ = pending_ < 2 ? 2 : 3;
  }
}

void TextWriter::new_line() {
  if (!open_) return;
  end_word();
  if (page_.text.size() > block_.begin && page_.text.back() != '\n') page_.text += '\n';
}

bool TextWriter::close() {
  if (!open_) return false;
  open_ = false;
  end_word();
  pending_ = 0;
  if (verbatim) {  // no empty lines at the end
    while (page_.text.size() > block_.begin && is_space(static_cast<u8>(page_.text.back()))) page_.text.pop_back();
  }
  block_.end = static_cast<u32>(page_.text.size());
  block_.last_word = static_cast<u32>(page_.words.size());
  const Node& node = page_.nodes[block_.node];
  if (block_.words == 0 || (node.flags & FLAG_SELECT) || page_.blocks.size() >= MAX_BLOCKS) {
    if (block_.words && !(node.flags & FLAG_SELECT)) page_.truncated = true;
    const bool keep = block_.words == 0 && (node.flags & FLAG_TABLE) && block_.end > block_.begin;
    if (keep && page_.scraps.size() < MAX_BLOCKS) {
      page_.scraps.push_back({block_.begin, block_.end, block_.node, static_cast<int>(page_.blocks.size())});
    } else {
      page_.text.resize(block_.begin);
    }
    page_.words.resize(block_.first_word);
    waiting_images_ += block_.images;
    waiting_links_ = 0;
    return false;
  }
  if (last_ == '.') block_.sentences++;
  block_.ending = last_ == '.' || last_ == ';' ? 1 : last_ == ':' ? 2 : last_ == ',' ? 3 : 0;
  block_.flags |= node.flags;
  const char* text = page_.text.data();
  const u8* begin = reinterpret_cast<const u8*>(text) + block_.begin;
  const u8* end = reinterpret_cast<const u8*>(text) + block_.end;
  // TeX in the text: \( \[ \begin{ or two dollar signs
  for (const u8* p = begin; p < end && (p = static_cast<const u8*>(std::memchr(p, '\\', end - p)));) {
    if (p + 1 < end && (p[1] == '(' || p[1] == '[' || (end - p > 7 && !std::memcmp(p, "\\begin{", 7)))) {
      block_.flags |= FLAG_MATH;
      break;
    }
    p++;
  }
  if (find(begin, end, "$$", 2) < end) block_.flags |= FLAG_MATH;
  page_.blocks.push_back(block_);
  return true;
}

std::string plain(Span source, bool attribute, std::size_t limit) {
  std::string text;
  bool waiting = false;
  const u8* p = source.begin();
  const u8* const end = source.end();
  auto put = [&](u32 code, const u8* bytes, u32 length) {
    const bool ascii = code < 0x80;
    if (ascii ? is_space(static_cast<u8>(code)) : kind_of(code) == KIND_SPACE) {
      waiting = !text.empty();
      return;
    }
    if (ascii ? CLASS[code] & BYTE_CONTROL : kind_of(code) == KIND_NOTHING) return;
    if (waiting) text += ' ';
    waiting = false;
    text.append(reinterpret_cast<const char*>(bytes), length);
  };
  while (p < end && text.size() < limit) {
    if (*p == '&') {
      const Reference reference = read_reference(p, end, attribute);
      for (u32 i = 0; i < reference.size;) {
        const Decoded one = decode(reference.text + i, reference.text + reference.size);
        put(one.code_point, reference.text + i, one.length);
        i += one.length;
      }
      p += reference.length;
      if (reference.length) continue;
    }
    const Decoded one = decode(p, end);
    put(one.code_point, p, one.length);
    p += one.length;
  }
  return text;
}

std::vector<u32> word_hashes(const std::string& text) {
  Page page;
  page.nodes.emplace_back();
  TextWriter writer(page);
  writer.add_source({reinterpret_cast<const u8*>(text.data()), text.size()}, 0);
  writer.close();
  return page.words;
}

}  // namespace gristmill
