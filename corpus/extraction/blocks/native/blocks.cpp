// Mark-up to blocks: a stack of open elements with implied end tags, as in the HTML standard's tree construction
// (13.2.6), but without a tree: what stays are the block-level elements and the runs of text between them.
#include <algorithm>

#include "linked_data.hpp"
#include "text.hpp"
#include "tokenizer.hpp"

namespace gristmill {
namespace {

constexpr std::size_t TITLE_BYTES = 1000;
constexpr std::size_t DESCRIPTION_BYTES = 1000;
constexpr std::size_t LONGEST_CLASS = 40;  // longer ones are generated and never seen twice
// Class names, roles, item properties and parts of names are told apart by their hash's start.
constexpr u32 ROLE_SEED = 0x1234567u;
constexpr u32 ITEMPROP_SEED = 0x7654321u;
constexpr u32 PART_SEED = HASH_START ^ 0x77;
constexpr Tag CLOSED = TAG_COUNT;          // an open element whose end tag has come too early

enum Effect : u8 { EFFECT_LINK = 1, EFFECT_BOLD = 2, EFFECT_CODE = 4, EFFECT_HIDDEN = 8, EFFECT_MUTED = 16 };

struct Open {
  Tag tag;
  u8 effects;
  bool block;     // has a node of its own
  bool line;      // inside <pre>: begins and ends a line
  int node;       // what text in it belongs to
  u32 name = 0;   // of an unknown element
};

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

bool has_class(const Attribute* attribute, const char* name) {
  if (!attribute) return false;
  const Span value = attribute->value;
  for (std::size_t i = 0; i < value.size;) {
    while (i < value.size && is_space(value.data[i])) i++;
    const std::size_t start = i;
    while (i < value.size && !is_space(value.data[i])) i++;
    if (equals({value.data + start, i - start}, name)) return true;
  }
  return false;
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

// How many columns or rows a cell spans; more than MAX_SPAN are for show.
constexpr int MAX_SPAN = 20;
u8 span_of(Span value) { return static_cast<u8>(std::clamp(to_number(value, 1), 1, MAX_SPAN)); }

class Builder {
 public:
  Builder(Span html, Page& page) : page_(page), tokenizer_(html), text_(page) {}

  void run() {
    page_.nodes.emplace_back();
    stack_.push_back({TAG_HTML, 0, true, false, 0});
    Token token;
    while (tokenizer_.next(token)) {
      if (token.kind == Token::TEXT) text(token.text);
      else if (token.kind == Token::START) start(token);
      else end(token);
    }
    pop_to(1);
    flush();
    page_.work += tokenizer_.work();
  }

 private:
  int current() const { return stack_.back().node; }
  void text(Span source) {
    if (after_pre_) {  // the line end right behind <pre> is not part of it
      after_pre_ = false;
      if (source.size && source.data[0] == '\r') source = {source.data + 1, source.size - 1};
      if (source.size && source.data[0] == '\n') source = {source.data + 1, source.size - 1};
    }
    text_.add(source, current());
  }
  void flush() { text_.close(); }

  // ---- the stack -------------------------------------------------------------------------------------------

  void apply(u8 effects, int change) {
    if (!effects) return;
    if (effects & EFFECT_LINK) {
      text_.links += change;
      if (change < 0) text_.end_link();
    }
    if (effects & EFFECT_BOLD) text_.bold += change;
    if (effects & EFFECT_CODE) text_.code += change;
    if (effects & EFFECT_HIDDEN) text_.hidden += change;
    if (effects & EFFECT_MUTED) text_.muted += change;
  }
  void push(Open open) {
    if (stack_.size() >= MAX_DEPTH) pop();
    if (!open.block) open.node = current();
    apply(open.effects, 1);
    open_[open.tag]++;
    stack_.push_back(open);
  }
  void pop() {
    const Open open = stack_.back();
    apply(open.effects, -1);
    if (open.line) text_.new_line();
    else if (open.block) flush();
    if (open.tag != CLOSED) open_[open.tag]--;
    stack_.pop_back();
    if (open.tag == TAG_PRE) text_.verbatim = --pre_ > 0;
    page_.work++;
  }
  void pop_to(std::size_t size) {
    while (stack_.size() > size && stack_.size() > 1) pop();
  }
  // The innermost open element for which `wanted` holds, not looking beyond one for which `stop` holds; 0: none.
  template <class Wanted, class Stop>
  std::size_t find_open(Wanted wanted, Stop stop) {
    for (std::size_t i = stack_.size() - 1; i > 0; i--) {
      page_.work++;
      if (wanted(stack_[i].tag)) return i;
      if (stop(stack_[i].tag)) return 0;
    }
    return 0;
  }
  bool close_p() {
    if (!open_[TAG_P]) return false;
    const auto i = find_open([](Tag t) { return t == TAG_P; }, [](Tag t) { return is_scope(t) || t == TAG_BUTTON; });
    if (i) pop_to(i);
    return i != 0;
  }
  // Closes the last item of a list: not beyond a block that may hold a list of its own.
  void close_item(Tag a, Tag b) {
    if (!open_[a] && !open_[b]) return;
    const auto i = find_open([=](Tag t) { return t == a || t == b; }, [](Tag t) {
      return is_scope(t) || (t != CLOSED && !is_inline(t) && t != TAG_DIV && t != TAG_P && t != TAG_ADDRESS &&
                             t != TAG_UNKNOWN && t != TAG_LABEL);
    });
    if (i) pop_to(i);
  }
  void close_in_table(bool (*wanted)(Tag)) {
    const auto i = find_open(wanted, [](Tag t) { return t == TAG_TABLE || t == TAG_TEMPLATE; });
    if (i) pop_to(i);
  }

  // ---- elements ----------------------------------------------------------------------------------------------

  void start(const Token& token);
  void start_block(const Token& token);
  void start_inline(const Token& token);
  void end(const Token& token);
  void script();
  void meta();
  void foreign(const Token& token);
  int add_node(const Token& token);
  void describe(Node& node);
  void close_select();
  void forget(std::size_t i);
  void add_tokens(Span value, u32 seed, u32* signature, const Node& node);
  void code_language(Span classes);

  Page& page_;
  Tokenizer tokenizer_;
  TextWriter text_;
  std::vector<Open> stack_;
  int open_[TAG_COUNT + 1] = {};
  int pre_ = 0;
  int pre_node_ = -1;
  bool after_pre_ = false;
  bool has_body_ = false;
};

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
      if (pre_) {
        if (const Attribute* classes = tokenizer_.attribute("class")) code_language(classes->value);
      }
      break;
    default:
      break;
  }
  for (const Attribute& attribute : tokenizer_) {
    if (equals(attribute.name, "hidden") || (equals(attribute.name, "aria-hidden") && equals(attribute.value, "true")) ||
        (equals(attribute.name, "style") && contains(attribute.value, "display") && contains(attribute.value, "none"))) {
      open.effects |= EFFECT_HIDDEN;
    } else if (token.tag == TAG_SPAN && equals(attribute.name, "class")) {
      // What MathJax and KaTeX draw: the formula itself is in the script or MathML beside it.
      if ((has_class(&attribute, "katex-html") && text_.behind_formula()) || has_class(&attribute, "mathjax") ||
          has_class(&attribute, "mathjax_preview")) {
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
    page_.open_graph_type = plain(content->value, true, 40);
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
  switch (token.tag) {
    case TAG_NAV: node.flags |= FLAG_NAV; break;
    case TAG_HEADER: node.flags |= FLAG_HEADER; break;
    case TAG_FOOTER: node.flags |= FLAG_FOOTER; break;
    case TAG_ASIDE: node.flags |= FLAG_ASIDE; break;
    case TAG_FORM: node.flags |= FLAG_FORM; page_.forms++; break;
    case TAG_MAIN: node.flags |= FLAG_MAIN; break;
    case TAG_ARTICLE: node.flags |= FLAG_ARTICLE; page_.articles++; break;
    case TAG_TABLE: node.flags |= FLAG_TABLE; break;
    case TAG_UL: case TAG_OL:
      node.flags |= FLAG_LIST;
      node.list_depth = static_cast<u8>(std::min(above.list_depth + 1, 255));
      node.ordinal = 1;
      break;
    case TAG_FIGURE: node.flags |= FLAG_FIGURE; break;
    case TAG_DIALOG: node.flags |= FLAG_DIALOG; break;
    case TAG_BUTTON: node.flags |= FLAG_BUTTON; break;
    case TAG_BLOCKQUOTE:
      node.flags |= FLAG_QUOTE;
      node.quote_depth = static_cast<u8>(std::min(above.quote_depth + 1, 255));
      break;
    case TAG_PRE: node.flags |= FLAG_PRE; break;
    case TAG_SECTION: node.flags |= FLAG_SECTION; break;
    case TAG_SELECT: node.flags |= FLAG_SELECT; break;
    case TAG_NOSCRIPT: node.flags |= FLAG_NOSCRIPT; break;
    case TAG_TEMPLATE: node.flags |= FLAG_TEMPLATE; break;
    case TAG_H1: page_.first_headings++; break;
    default: break;
  }
  if (is_heading(token.tag)) {
    node.heading = static_cast<u8>(token.tag - TAG_H1 + 1);
    node.flags |= FLAG_HEADING;
  }
  describe(node);
  if (token.tag == TAG_LI && page_.nodes[parent].tag == TAG_OL) {
    Node& list = page_.nodes[parent];
    if (const Attribute* value = tokenizer_.attribute("value")) list.ordinal = to_number(value->value, list.ordinal);
    node.ordinal = list.ordinal++;
  }
  node.tokens = static_cast<u16>(page_.tokens.size() - node.first_token);
  page_.nodes.push_back(node);
  const int index = static_cast<int>(page_.nodes.size()) - 1;
  if (token.tag == TAG_PRE) {
    if (const Attribute* classes = tokenizer_.attribute("class")) {
      pre_node_ = index;
      code_language(classes->value);
    }
    pre_node_ = index;
  }
  return index;
}

// What an element's attributes say.
void Builder::describe(Node& node) {
  for (const Attribute& attribute : tokenizer_) {
    const Span value = attribute.value;
    switch (attribute.name.size) {
      case 2:
        if (equals(attribute.name, "id")) add_tokens(value, HASH_START, nullptr, node);
        break;
      case 4:
        if (equals(attribute.name, "role") && !value.empty()) {
          if (equals(value, "navigation") || equals(value, "menu") || equals(value, "menubar")) node.flags |= FLAG_NAV;
          else if (equals(value, "main")) node.flags |= FLAG_MAIN;
          else if (equals(value, "banner")) node.flags |= FLAG_HEADER;
          else if (equals(value, "contentinfo")) node.flags |= FLAG_FOOTER;
          else if (equals(value, "complementary")) node.flags |= FLAG_ASIDE;
          else if (equals(value, "dialog") || equals(value, "alertdialog")) node.flags |= FLAG_DIALOG;
          else if (equals(value, "button")) node.flags |= FLAG_BUTTON;
          else if (equals(value, "article")) node.flags |= FLAG_ARTICLE;
          else if (equals(value, "heading") && !node.heading) {
            const Attribute* level = tokenizer_.attribute("aria-level");
            node.heading = static_cast<u8>(std::clamp(to_number(level ? level->value : Span{}, 2), 1, 6));
            node.flags |= FLAG_HEADING;
          }
          add_tokens(value, ROLE_SEED, nullptr, node);
        }
        break;
      case 5:
        if (equals(attribute.name, "class")) add_tokens(value, HASH_START, &node.signature, node);
        else if (equals(attribute.name, "style") && contains(value, "display") && contains(value, "none"))
          node.flags |= FLAG_HIDDEN;
        else if (equals(attribute.name, "start") && node.tag == TAG_OL) node.ordinal = to_number(value, 1);
        break;
      case 6:
        if (equals(attribute.name, "hidden")) node.flags |= FLAG_HIDDEN;
        break;
      case 8:
        if (equals(attribute.name, "itemprop") && !value.empty()) {
          add_tokens(value, ITEMPROP_SEED, nullptr, node);
          if (equals(value, "articlebody") || equals(value, "description")) node.flags |= FLAG_ITEMPROP;
        }
        break;
      case 7:
        if (is_cell(node.tag)) {
          if (equals(attribute.name, "colspan")) node.columns = span_of(value);
          else if (equals(attribute.name, "rowspan")) node.rows = span_of(value);
        }
        break;
      case 11:
        if (equals(attribute.name, "aria-hidden") && equals(value, "true")) node.flags |= FLAG_HIDDEN;
        break;
      default:
        break;
    }
  }
}

// Class names, whole and in parts ("post-body", "postBody": post, body), as slots of the class table.
void Builder::add_tokens(Span value, u32 seed, u32* signature, const Node& node) {
  auto add = [&](u32 hash) {
    if (page_.tokens.size() - node.first_token < MAX_NODE_TOKENS)
      page_.tokens.push_back(static_cast<u16>(spread(hash, TOKEN_BITS)));
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

// "language-python", "lang-py", "highlight-source-python": the language of the code block that is open.
void Builder::code_language(Span classes) {
  if (pre_node_ < 0 || page_.nodes[pre_node_].language >= 0) return;
  for (const char* prefix : {"language-", "lang-", "highlight-source-", "brush:"}) {
    const std::size_t length = std::strlen(prefix);
    for (std::size_t i = 0; i + length < classes.size; i++) {
      if (i && !is_space(classes.data[i - 1])) continue;
      if (!starts_with({classes.data + i, classes.size - i}, prefix)) continue;
      std::size_t a = i + length;
      while (a < classes.size && classes.data[a] == ' ') a++;
      std::string language;
      for (; a < classes.size && language.size() < 20; a++) {
        const u8 c = classes.data[a];
        if (!(CLASS[c] & BYTE_WORD) && c != '+' && c != '#' && c != '-') break;
        language += static_cast<char>(lower(c));
      }
      if (language.empty() || language == "none" || language == "plaintext") return;
      page_.nodes[pre_node_].language = static_cast<int>(page_.languages.size());
      page_.languages.push_back(language);
      return;
    }
  }
}

}  // namespace

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
