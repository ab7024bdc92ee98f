// What stands in a page without being its text: scripts, meta elements, SVG; and formulas, which are.
#include "builder.hpp"

namespace gristmill {
namespace {

constexpr std::size_t DESCRIPTION_BYTES = 1000;
constexpr std::size_t TYPE_BYTES = 40;

}  // namespace

void Builder::script() {
  const Attribute* type = tokenizer_.attribute("type");
  const Span kind = type ? type->value : Span{};
  const Span source = tokenizer_.script();
  page_.scripts++;
  if (contains(kind, "ld+json")) {
    read_linked_data(source, page_);
  } else if (starts_with(kind, "math/tex")) {
    const bool display = contains(kind, "display");
    text_.add_formula(source, current(), display ? "\\[" : "\\(", display ? "\\]" : "\\)");
  } else if (starts_with(kind, "math/mml")) {
    text_.add_formula(source, current());
  } else if (starts_with(kind, "math/asciimath")) {
    text_.add_formula(source, current(), "`", "`");
  }
}

void Builder::meta() {
  const Attribute* name = tokenizer_.attribute("property");
  if (!name) name = tokenizer_.attribute("name");
  const Attribute* content = tokenizer_.attribute("content");
  if (!name || !content || content->value.empty()) return;
  if (equals(name->value, "og:type")) {
    page_.open_graph_type = plain(content->value, true, TYPE_BYTES);
  } else if (equals(name->value, "description") || equals(name->value, "og:description")) {
    if (page_.description.size() < content->value.size)
      page_.description = plain(content->value, true, DESCRIPTION_BYTES);
  }
}

// SVG is skipped, MathML kept as it stands. Ends at its end tag, before the first tag that cannot be in it, or
// before the end tag of an element around it.
void Builder::foreign(const Token& opening) {
  const Tag tag = opening.tag;
  const u8* const source = opening.source;
  const bool display = tag == TAG_MATH && tokenizer_.attribute("display") &&
                       equals(tokenizer_.attribute("display")->value, "block");
  auto holds_html = [tag](Span name) {
    if (tag == TAG_SVG) return equals(name, "foreignobject") || equals(name, "desc") || equals(name, "title");
    return equals(name, "mi") || equals(name, "mo") || equals(name, "mn") || equals(name, "ms") ||
           equals(name, "mtext") || equals(name, "annotation-xml");
  };
  if (opening.self_closing) return text_.gap();
  tokenizer_.set_foreign(true);
  int depth = 1;
  int inside = 0;  // elements with HTML in them
  Token token;
  const u8* stop = nullptr;
  while (depth && tokenizer_.next(token)) {
    if (token.kind == Token::TEXT) continue;
    if (token.kind == Token::START) {
      if (!inside && breaks_out(token.tag)) {
        stop = token.source;
        break;
      }
      if (token.self_closing) continue;
      if (token.tag == tag) depth++;
      else if (token.tag == TAG_STYLE || token.tag == TAG_SCRIPT) tokenizer_.raw_text(token.name);
      else inside += holds_html(token.name);
    } else if (token.tag == tag) {
      depth--;
      inside = 0;
    } else if (holds_html(token.name)) {
      inside -= inside > 0;
    } else if (!inside && token.tag != TAG_UNKNOWN && !is_inline(token.tag) && open_[token.tag]) {
      stop = token.source;
      break;
    }
  }
  tokenizer_.set_foreign(false);
  if (stop) tokenizer_.rewind(stop);
  if (tag != TAG_MATH) return text_.gap();
  if (display) text_.line_break();
  text_.add_formula({source, static_cast<std::size_t>(tokenizer_.position() - source)}, current());
  if (display) text_.line_break();
}

}  // namespace gristmill
