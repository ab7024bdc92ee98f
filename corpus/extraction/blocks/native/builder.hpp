// The one pass over a page: the stack of open elements, and what each kind of tag does to it.
#pragma once
#include "attributes.hpp"
#include "linked_data.hpp"
#include "text.hpp"

namespace gristmill {

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

// Reads a page, tag by tag.
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
  void close_select();
  void forget(std::size_t i);
  void code_language();

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

}  // namespace gristmill
