// HTML's tokenizer (HTML standard 13.2.5), without its tree: start tags with attributes, end tags, text.
// Comments, document types, processing instructions and broken tags are passed over as browsers do. Every byte
// is looked at a bounded number of times, whatever the mark-up.
#pragma once
#include "tags.hpp"

namespace gristmill {

struct Attribute {
  Span name;
  Span value;
};

struct Token {
  enum Kind : u8 { TEXT, START, END } kind;
  Tag tag;
  bool self_closing;
  Span name;         // of a tag, as written
  Span text;         // of a run of text, with its character references
  const u8* source;  // where the token starts
};

class Tokenizer {
 public:
  explicit Tokenizer(Span html) : p_(html.begin()), end_(html.end()) {}

  // The next token, or false at the end. A tag that the end cuts off is dropped.
  bool next(Token& token);
  // After the start tag of an element whose content is text (script, style, title, textarea, ...): that text;
  // goes on behind the end tag. Without an end tag everything is content, as in browsers.
  Span raw_text(Span name);
  // After a script's start tag: its source. Scripts hold `</script>` in strings inside `<!--`.
  Span script();
  // Everything that is left.
  Span rest() {
    const Span all{p_, static_cast<std::size_t>(end_ - p_)};
    p_ = end_;
    return all;
  }

  // The value of an attribute of the last start tag; the first of that name counts. `name` is lower case.
  const Attribute* attribute(const char* name) const;
  const Attribute* begin() const { return attributes_; }
  const Attribute* end() const { return attributes_ + count_; }

  // In SVG and MathML `<![CDATA[` starts text; in HTML it is a broken comment.
  void set_foreign(bool foreign) { foreign_ = foreign; }
  const u8* position() const { return p_; }
  // Steps taken: tokens, attributes, and places where a search stopped and went on.
  u64 work() const { return work_; }
  // Goes back to a token's source, to read it again as something else.
  void rewind(const u8* source) { p_ = source; }

 private:
  static constexpr int MAX_ATTRIBUTES = 64;  // pages have up to 40; more are read and forgotten

  bool attributes(bool keep, bool& self_closing);
  void skip_to(u8 c);
  void comment();

  const u8* p_;
  const u8* end_;
  bool foreign_ = false;
  Attribute attributes_[MAX_ATTRIBUTES];
  int count_ = 0;
  u64 work_ = 0;
};

}  // namespace gristmill
