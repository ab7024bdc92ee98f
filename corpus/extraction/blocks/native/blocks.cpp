// Mark-up to blocks: a stack of open elements with implied end tags, as in the HTML standard's tree construction
// (13.2.6), but without a tree: what stays are the block-level elements and the runs of text between them.
#include <algorithm>

#include "builder.hpp"

namespace gristmill {
namespace {

constexpr std::size_t TITLE_BYTES = 1000;

// Elements that inside <pre> only begin a new line: highlighters wrap lines of code in them.
bool is_line_in_pre(Tag t) {
  return t == TAG_DIV || t == TAG_P || (t >= TAG_UL && t <= TAG_DD) || is_table_part(t) || t == TAG_UNKNOWN ||
         t == TAG_LABEL || t == TAG_BUTTON || t == TAG_CENTER;
}

// Unknown elements that are written inside sentences: Word's `<o:p>`, formulas and emoji of web components.
bool is_inline_name(Span name) {
  if (std::memchr(name.data, ':', name.size)) return true;
  return starts_with(name, "mjx-") || equals(name, "g-emoji") || equals(name, "relative-time") ||
         equals(name, "time-ago") || equals(name, "local-time");
}

}  // namespace

void Builder::start(const Token& token) {
  after_pre_ = false;
  switch (token.tag) {
    case TAG_SCRIPT:
      script();
      return;
    case TAG_STYLE:
    case TAG_IFRAME:
      tokenizer_.raw_text(token.name);
      return;
    case TAG_RAW:  // <xmp> is shown as it stands, <noembed> and <noframes> never
      if (equals(token.name, "xmp")) {
        close_p();
        flush();
        Token as_pre = token;
        as_pre.tag = TAG_PRE;
        start_block(as_pre);
        after_pre_ = false;
        text_.add_source(tokenizer_.raw_text(token.name), current());
        pop();
      } else {
        tokenizer_.raw_text(token.name);
      }
      return;
    case TAG_PLAINTEXT:
      close_p();
      flush();
      text_.add_source(tokenizer_.rest(), current());
      return;
    case TAG_TEXTAREA:
      if (open_[TAG_SELECT]) close_select();
      page_.inputs++;
      flush();
      tokenizer_.raw_text(token.name);
      return;
    case TAG_TITLE: {
      const Span title = tokenizer_.raw_text(token.name);
      if (page_.title.empty()) page_.title = plain(title, false, TITLE_BYTES);
      return;
    }
    case TAG_SVG:
    case TAG_MATH:
      foreign(token);
      return;
    case TAG_BR:
      text_.line_break();
      return;
    case TAG_HR:
      close_p();
      flush();
      return;
    case TAG_IMG:
      page_.images++;
      text_.image();
      return;
    case TAG_INPUT:
      if (open_[TAG_SELECT]) close_select();
      page_.inputs++;
      return;
    case TAG_META:
      meta();
      return;
    case TAG_BODY:
      if (has_body_ || stack_.size() > 1) return;
      has_body_ = true;
      flush();
      start_block(token);
      page_.nodes[current()].flags &= ~FLAG_HIDDEN;  // scripts uncover it
      return;
    case TAG_HTML:
    case TAG_HEAD:
    case TAG_LINK:
    case TAG_VOID:
      return;
    case TAG_UNKNOWN:
      if (is_inline_name(token.name)) return;
      break;
    default:
      break;
  }
  if (is_inline(token.tag)) start_inline(token);
  else start_block(token);
}

void Builder::start_inline(const Token& token) {
  Open open{token.tag, 0, false, false, current()};
  switch (token.tag) {
    case TAG_A: {
      // A link ends the one before it.
      const auto i = open_[TAG_A] ? find_open([](Tag t) { return t == TAG_A; }, is_scope) : 0;
      if (i && i == stack_.size() - 1) pop();
      else if (i) forget(i);
      open.effects = EFFECT_LINK;
      text_.begin_link();
      break;
    }
    case TAG_B:
    case TAG_STRONG:
      open.effects = EFFECT_BOLD;
      break;
    case TAG_CODE:
      open.effects = EFFECT_CODE;
      if (pre_) code_language();
      break;
    default:
      break;
  }
  for (const Attribute& attribute : tokenizer_) {
    if (hides(attribute)) {
      open.effects |= EFFECT_HIDDEN;
    } else if (token.tag == TAG_SPAN && equals(attribute.name, "class")) {
      // What MathJax and KaTeX draw: the formula itself is in the script or MathML beside it.
      if ((has_class(attribute.value, "katex-html") && text_.behind_formula()) || has_class(attribute.value, "mathjax") ||
          has_class(attribute.value, "mathjax_preview")) {
        open.effects |= EFFECT_MUTED;
      }
    }
  }
  push(open);
}

void Builder::start_block(const Token& token) {
  const Tag tag = token.tag;
  switch (tag) {
    case TAG_LI:
      close_item(TAG_LI, TAG_LI);
      close_p();
      break;
    case TAG_DT:
    case TAG_DD:
      close_item(TAG_DT, TAG_DD);
      close_p();
      break;
    case TAG_TR:
      if (open_[TAG_TABLE]) close_in_table([](Tag t) { return t == TAG_TR || t == TAG_CAPTION; });
      break;
    case TAG_TD:
    case TAG_TH:
      if (open_[TAG_TABLE]) close_in_table([](Tag t) { return is_cell(t) || t == TAG_CAPTION; });
      break;
    case TAG_TBODY:
    case TAG_THEAD:
    case TAG_TFOOT:
      if (open_[TAG_TABLE]) close_in_table([](Tag t) { return is_row_group(t) || t == TAG_CAPTION; });
      break;
    case TAG_TABLE:
      close_p();
      // A table right inside a table, in no cell of it, ends it.
      if (open_[TAG_TABLE]) {
        const auto i = find_open([](Tag t) { return t == TAG_TABLE; },
                                 [](Tag t) { return is_cell(t) || t == TAG_CAPTION || t == TAG_TEMPLATE; });
        if (i) pop_to(i);
      }
      break;
    case TAG_OPTION:
      if (!stack_.empty() && stack_.back().tag == TAG_OPTION) pop();
      break;
    case TAG_SELECT:
      if (open_[TAG_SELECT]) {
        close_select();
        return;
      }
      break;
    case TAG_BUTTON:
      if (open_[TAG_BUTTON]) {
        const auto i = find_open([](Tag t) { return t == TAG_BUTTON; }, is_scope);
        if (i) pop_to(i);
      }
      break;
    case TAG_UNKNOWN: case TAG_LABEL: case TAG_NOSCRIPT: case TAG_TEMPLATE: case TAG_OBJECT: case TAG_MEDIA:
    case TAG_CAPTION: case TAG_BODY:
      break;
    default:
      close_p();
      if (is_heading(tag) && is_heading(stack_.back().tag)) pop();
  }
  if (pre_ && is_line_in_pre(tag)) {
    if (!is_cell(tag)) text_.new_line();
    Open open{tag, 0, false, !is_cell(tag), current()};
    if (tag == TAG_UNKNOWN) open.name = hash_bytes(HASH_START, token.name);
    if (!(token.self_closing && tag == TAG_UNKNOWN)) push(open);
    return;
  }
  flush();
  if (stack_.size() >= MAX_DEPTH) pop();
  if (page_.nodes.size() >= MAX_NODES) {
    page_.truncated = true;
    return;
  }
  const int node = add_node(token);
  // `<icon/>` of an unknown element means an empty one, whatever the standard says.
  if (token.self_closing && tag == TAG_UNKNOWN) return;
  Open open{tag, 0, true, false, node};
  open.name = page_.nodes[node].name;
  push(open);
  if (tag == TAG_PRE) {
    pre_++;
    text_.verbatim = true;
    after_pre_ = true;
  }
}

void Builder::close_select() {
  const auto i = find_open([](Tag t) { return t == TAG_SELECT; }, is_scope);
  if (i) pop_to(i);
}

// Takes an element's effects away, but leaves it on the stack: blocks inside it are still open.
void Builder::forget(std::size_t i) {
  apply(stack_[i].effects, -1);
  open_[stack_[i].tag]--;
  stack_[i].effects = 0;
  stack_[i].tag = CLOSED;
}

void Builder::end(const Token& token) {
  after_pre_ = false;
  const Tag tag = token.tag;
  if (tag == TAG_BR) return text_.line_break();
  if (tag == TAG_P) {
    if (!close_p() && !pre_) flush();
    return;
  }
  if (tag == TAG_HTML || tag == TAG_BODY || tag == TAG_HEAD || is_void(tag)) return;
  std::size_t i = 0;
  if (is_heading(tag)) {
    i = find_open(is_heading, is_scope);
  } else if (!open_[tag]) {
    return;
  } else if (tag == TAG_UNKNOWN) {
    const u32 name = hash_bytes(HASH_START, token.name);
    for (std::size_t k = stack_.size() - 1; k > 0 && !i; k--) {
      page_.work++;
      if (stack_[k].tag == TAG_UNKNOWN && stack_[k].name == name) i = k;
      else if (is_scope(stack_[k].tag)) break;
    }
  } else if (is_formatting(tag)) {
    bool blocks = false;
    i = find_open([&](Tag t) { return t == tag || (blocks |= t != CLOSED && !is_inline(t), false); }, is_scope);
    if (i && blocks) {
      forget(i);
      return;
    }
  } else if (is_inline(tag)) {
    i = find_open([=](Tag t) { return t == tag; }, [](Tag t) { return t != CLOSED && !is_inline(t); });
  } else if (is_table_part(tag)) {
    i = find_open([=](Tag t) { return t == tag; }, [](Tag t) { return t == TAG_TABLE || t == TAG_TEMPLATE; });
  } else if (tag == TAG_LI) {
    i = find_open([](Tag t) { return t == TAG_LI; }, [](Tag t) { return is_scope(t) || t == TAG_UL || t == TAG_OL; });
  } else {
    i = find_open([=](Tag t) { return t == tag; }, is_scope);
  }
  if (i) pop_to(i);
}

int Builder::add_node(const Token& token) {
  const int parent = current();
  Node node;
  const Node& above = page_.nodes[parent];
  node.parent = parent;
  node.tag = token.tag;
  node.depth = static_cast<u16>(above.depth + 1);
  node.flags = above.flags;
  node.heading = above.heading;
  node.list_depth = above.list_depth;
  node.quote_depth = above.quote_depth;
  node.first_token = static_cast<u32>(page_.tokens.size());
  node.signature = token.tag * 2654435761u;
  if (token.tag == TAG_UNKNOWN) {
    node.name = hash_bytes(HASH_START, token.name);
    node.signature ^= node.name;
  }
  if (text_.links) node.flags |= FLAG_LINK;
  describe(token.tag, tokenizer_, node, page_);
  if (token.tag == TAG_LI && page_.nodes[parent].tag == TAG_OL) {
    Node& list = page_.nodes[parent];
    if (const Attribute* value = tokenizer_.attribute("value")) list.ordinal = to_number(value->value, list.ordinal);
    node.ordinal = list.ordinal++;
  }
  node.tokens = static_cast<u16>(page_.tokens.size() - node.first_token);
  page_.nodes.push_back(node);
  const int index = static_cast<int>(page_.nodes.size()) - 1;
  if (token.tag == TAG_PRE) {
    pre_node_ = index;
    code_language();
  }
  return index;
}

// The language that the last start tag names for the code block that is open.
void Builder::code_language() {
  const Attribute* classes = tokenizer_.attribute("class");
  if (!classes || pre_node_ < 0 || page_.nodes[pre_node_].language >= 0) return;
  const std::string language = language_of(classes->value);
  if (language.empty()) return;
  page_.nodes[pre_node_].language = static_cast<int>(page_.languages.size());
  page_.languages.push_back(language);
}


void read_page(Span html, Span url, Page& page) {
  page.url.assign(reinterpret_cast<const char*>(url.data), url.size);
  page.text.reserve(html.size / 5 + 64);
  page.nodes.reserve(2048);
  page.blocks.reserve(512);
  page.words.reserve(html.size / 40 + 64);
  page.tokens.reserve(4096);
  Builder(html, page).run();
  add_up(page);
}

}  // namespace gristmill
