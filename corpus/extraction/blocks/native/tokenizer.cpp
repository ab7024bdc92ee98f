#include "tokenizer.hpp"

namespace gristmill {
namespace {

// Bytes that end an unquoted attribute value, an attribute's name or a tag's name.
enum Stop : u8 { STOP_VALUE = 1, STOP_NAME = 2, STOP_TAG = 4 };
constexpr std::array<u8, 256> stops() {
  std::array<u8, 256> table{};
  for (u8 c : {' ', '\n', '\t', '\r', '\f', '>'}) table[c] = STOP_VALUE | STOP_NAME | STOP_TAG;
  table['/'] = STOP_NAME | STOP_TAG;
  table['='] = STOP_NAME;
  return table;
}
constexpr std::array<u8, 256> STOPS = stops();

inline const u8* search(const u8* p, const u8* end, u8 c) {
  const void* hit = std::memchr(p, c, end - p);
  return hit ? static_cast<const u8*>(hit) : end;
}

}  // namespace

void Tokenizer::skip_to(u8 c) {
  p_ = search(p_, end_, c);
  if (p_ < end_) p_++;
}

// Behind `<!--`: up to `-->` or `--!>`; `<!-->` and `<!--->` are whole comments.
void Tokenizer::comment() {
  const u8* p = p_;
  if (p < end_ && *p == '>') {
    p_ = p + 1;
    return;
  }
  if (p + 1 < end_ && p[0] == '-' && p[1] == '>') {
    p_ = p + 2;
    return;
  }
  const u8* start = p;
  for (; (p = search(p, end_, '>')) < end_; p++) {
    work_++;
    const std::ptrdiff_t before = p - start;
    if ((before >= 2 && p[-1] == '-' && p[-2] == '-') ||
        (before >= 3 && p[-1] == '!' && p[-2] == '-' && p[-3] == '-')) {
      p_ = p + 1;
      return;
    }
  }
  p_ = end_;
}

bool Tokenizer::next(Token& token) {
  while (p_ < end_) {
    work_++;
    token.source = p_;
    if (*p_ != '<') {
      const u8* start = p_;
      p_ = search(p_, end_, '<');
      token.kind = Token::TEXT;
      token.text = {start, static_cast<std::size_t>(p_ - start)};
      return true;
    }
    const u8 c = p_ + 1 < end_ ? p_[1] : 0;
    if (is_letter(c)) {
      const u8* name = ++p_;
      while (p_ < end_ && !(STOPS[*p_] & STOP_TAG)) p_++;
      token.name = {name, static_cast<std::size_t>(p_ - name)};
      token.tag = tag_of(token.name);
      token.kind = Token::START;
      if (!attributes(true, token.self_closing)) return false;
      return true;
    }
    if (c == '/') {
      const u8 after = p_ + 2 < end_ ? p_[2] : 0;
      if (is_letter(after)) {
        const u8* name = p_ += 2;
        while (p_ < end_ && !(STOPS[*p_] & STOP_TAG)) p_++;
        token.name = {name, static_cast<std::size_t>(p_ - name)};
        token.tag = tag_of(token.name);
        token.kind = Token::END;
        if (p_ < end_ && *p_ == '>') {
          p_++;
          return true;
        }
        bool self_closing;
        if (!attributes(false, self_closing)) return false;
        return true;
      }
      if (p_ + 2 < end_) {  // `</>` is nothing, `</1` a broken comment
        p_ += 2;
        skip_to('>');
        continue;
      }
    } else if (c == '!') {
      if (p_ + 3 < end_ && p_[2] == '-' && p_[3] == '-') {
        p_ += 4;
        comment();
        continue;
      }
      if (foreign_ && end_ - p_ >= 9 && !std::memcmp(p_, "<![CDATA[", 9)) {
        const u8* start = p_ + 9;
        const u8* stop = find(start, end_, "]]>", 3);
        token.kind = Token::TEXT;
        token.text = {start, static_cast<std::size_t>(stop - start)};
        p_ = stop < end_ ? stop + 3 : end_;
        return true;
      }
      p_ += 2;
      skip_to('>');
      continue;
    } else if (c == '?') {
      p_ += 2;
      skip_to('>');
      continue;
    }
    // A "<" that starts nothing is text.
    token.kind = Token::TEXT;
    token.text = {p_, 1};
    p_++;
    return true;
  }
  return false;
}

// Behind a tag's name: reads up to its ">" and returns false where the page ends before.
bool Tokenizer::attributes(bool keep, bool& self_closing) {
  count_ = 0;
  self_closing = false;
  const u8* p = p_;
  while (p < end_) {
    const u8 c = *p;
    if (is_space(c)) {
      p++;
      continue;
    }
    if (c == '>') {
      p_ = p + 1;
      return true;
    }
    if (c == '/') {
      p++;
      self_closing = p < end_ && *p == '>';
      continue;
    }
    work_++;
    const u8* name = p++;  // a name may begin with "="
    while (p < end_ && !(STOPS[*p] & STOP_NAME)) p++;
    const Span name_span{name, static_cast<std::size_t>(p - name)};
    Span value{};
    while (p < end_ && is_space(*p)) p++;
    if (p < end_ && *p == '=') {
      p++;
      while (p < end_ && is_space(*p)) p++;
      if (p < end_ && (*p == '"' || *p == '\'')) {
        const u8 quote = *p++;
        const u8* stop = search(p, end_, quote);
        if (stop == end_) break;
        value = {p, static_cast<std::size_t>(stop - p)};
        p = stop + 1;
      } else {
        const u8* start = p;
        while (p < end_ && !(STOPS[*p] & STOP_VALUE)) p++;
        value = {start, static_cast<std::size_t>(p - start)};
      }
    }
    if (keep && count_ < MAX_ATTRIBUTES) attributes_[count_++] = {name_span, value};
  }
  p_ = end_;
  return false;
}

const Attribute* Tokenizer::attribute(const char* name) const {
  for (int i = 0; i < count_; i++)
    if (equals(attributes_[i].name, name)) return &attributes_[i];
  return nullptr;
}

Span Tokenizer::raw_text(Span name) {
  const u8* start = p_;
  for (const u8* p = p_; (p = search(p, end_, '<')) < end_; p++) {
    work_++;
    if (static_cast<std::size_t>(end_ - p) < name.size + 3 || p[1] != '/') continue;
    std::size_t i = 0;
    while (i < name.size && lower(p[2 + i]) == lower(name.data[i])) i++;
    if (i == name.size && (STOPS[p[2 + i]] & STOP_TAG)) {
      p_ = p + 2 + i;
      bool self_closing;
      attributes(false, self_closing);
      return {start, static_cast<std::size_t>(p - start)};
    }
  }
  return rest();
}

// The states "script data escaped" and "double escaped": behind `<!--`, a `<script` makes the next `</script`
// part of the source, until `-->`.
Span Tokenizer::script() {
  const u8* start = p_;
  bool escaped = false;
  bool twice = false;
  for (const u8* p = p_; p < end_; p++) {
    work_++;
    if (!escaped) {
      p = search(p, end_, '<');
      if (p == end_) break;
    } else if (*p != '<' && *p != '-') {
      continue;
    }
    if (*p == '-') {
      if (end_ - p >= 3 && p[1] == '-' && p[2] == '>') escaped = twice = false;
      continue;
    }
    if (!escaped && end_ - p >= 4 && !std::memcmp(p, "<!--", 4)) {
      escaped = true;
      p++;  // the dashes count for `-->` too: `<!-->` is a whole comment
      continue;
    }
    const bool closing = p + 1 < end_ && p[1] == '/';
    const u8* name = p + (closing ? 2 : 1);
    if (end_ - name < 7 || !equals({name, 6}, "script") || !(STOPS[name[6]] & STOP_TAG)) continue;
    if (!closing) {
      twice = escaped;
    } else if (twice) {
      twice = false;
    } else {
      p_ = name + 6;
      bool self_closing;
      attributes(false, self_closing);
      return {start, static_cast<std::size_t>(p - start)};
    }
  }
  return rest();
}

}  // namespace gristmill
