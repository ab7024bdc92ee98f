// Inline content to text: white space collapsed, references resolved, and the counts that features are made of.
#pragma once
#include "entities.hpp"
#include "page.hpp"

namespace gristmill {

class TextWriter {
 public:
  explicit TextWriter(Page& page) : page_(page) {}

  // How many links, bold elements, ... are open around what comes next.
  int links = 0, bold = 0, code = 0, hidden = 0, muted = 0;
  // In `<pre>`: white space counts.
  bool verbatim = false;

  bool open() const { return open_; }
  // Appends source text with its references to the current block, which starts with the first visible character.
  void add(Span source, int node);
  // Appends text that is verbatim already: `&` is an ampersand.
  void add_source(Span source, int node);
  // Appends a formula as it stands: mark-up or TeX. It counts as one word.
  void add_formula(Span source, int node, const char* before = "", const char* after = "");
  void line_break();
  // Whether the text ends with a formula.
  bool behind_formula() const { return open_ && formula_end_ == page_.text.size(); }
  // A link begins. Right behind another one it is a word of its own: style sheets part them.
  void begin_link() {
    if (open_) block_.links++;
    else waiting_links_++;
    if (link_end_ == page_.text.size()) gap();
  }
  void end_link() { link_end_ = page_.text.size(); }
  // In `<pre>`: a block boundary is a new line.
  void new_line();
  void image() {
    if (open_) block_.images++;
    else waiting_images_++;
    gap();
  }
  // A picture parts words, whatever its size.
  void gap() {
    if (open_ && !verbatim && !pending_) pending_ = 1;
  }
  // Ends the block. False where there is none or it has no words.
  bool close();

 private:
  void start(int node);
  void append(Span source, int node, bool references);
  void space();
  void emit(u32 code_point, const u8* bytes, u32 length);
  void start_word();
  void end_word();
  void word_byte(u8 c);

  Page& page_;
  Block block_;
  bool open_ = false;
  bool in_word_ = false;
  u8 pending_ = 0;        // white space to come: 1 a space, 2 a line break, 3 an empty line
  u8 last_ = 0;           // what the text ends with: '.', ':', ',' or another
  u8 units_ = 0;          // characters of the current word of a script without spaces
  u32 word_hash_ = 0;
  struct {
    bool link, bold, code, hidden;
  } word_in_ = {};
  int waiting_images_ = 0;
  int waiting_links_ = 0;
  std::size_t formula_end_ = 0;
  std::size_t link_end_ = 0;
};

// Text of a title or an attribute: references resolved, white space collapsed; at most `limit` bytes.
std::string plain(Span source, bool attribute, std::size_t limit);
// Hashes of a text's words, as Page::words has them.
std::vector<u32> word_hashes(const std::string& text);

}  // namespace gristmill
