// What the one pass over a page leaves behind: its text, its blocks, its elements, its totals.
#pragma once
#include <string>
#include <vector>

#include "tags.hpp"

namespace gristmill {

// What holds for everything inside an element. The first FLAG_FEATURES are features of the model, in this order.
enum Flag : u32 {
  FLAG_NAV = 1u << 0,
  FLAG_HEADER = 1u << 1,
  FLAG_FOOTER = 1u << 2,
  FLAG_ASIDE = 1u << 3,
  FLAG_FORM = 1u << 4,
  FLAG_MAIN = 1u << 5,
  FLAG_ARTICLE = 1u << 6,
  FLAG_TABLE = 1u << 7,
  FLAG_LIST = 1u << 8,
  FLAG_FIGURE = 1u << 9,
  FLAG_DIALOG = 1u << 10,
  FLAG_HIDDEN = 1u << 11,
  FLAG_BUTTON = 1u << 12,
  FLAG_QUOTE = 1u << 13,
  FLAG_PRE = 1u << 14,
  FLAG_LINK = 1u << 15,  // a link around blocks
  FLAG_SECTION = 1u << 16,
  FLAG_ITEMPROP = 1u << 17,  // itemprop=articleBody or description
  FLAG_NOSCRIPT = 1u << 18,
  FLAG_TEMPLATE = 1u << 19,
  FLAG_MATH = 1u << 20,      // the block has formulas: MathML, TeX between delimiters
  FLAG_HEADING = 1u << 21,
  FLAG_SELECT = 1u << 22,    // choices of a form: not text
};
inline constexpr int FLAG_FEATURES = 22;
inline constexpr const char* FLAG_NAMES[FLAG_FEATURES] = {
    "nav", "header", "footer", "aside", "form", "main", "article", "table", "list", "figure", "dialog", "hidden",
    "button", "quote", "pre", "link", "section", "itemprop", "noscript", "template", "math", "heading"};

// A block-level element. Children come after their parents.
struct Node {
  int parent = -1;
  u32 flags = 0;
  u32 signature = 0;   // of tag and class: siblings that look alike share it
  u32 name = 0;        // hash of an unknown element's name
  u32 first_token = 0; // into Page::tokens
  u16 tokens = 0;
  u16 depth = 0;
  Tag tag = TAG_UNKNOWN;
  u8 heading = 0;       // 1 to 6 in a heading
  u8 list_depth = 0;    // how many lists it is in
  u8 quote_depth = 0;
  int ordinal = 0;      // a list item's number in an ordered list; the next one's in the list itself
  u8 columns = 1, rows = 1;  // that a cell spans
  int language = -1;    // of code, into Page::languages
  // Totals over everything inside, known after the pass.
  int words = 0;
  int link_words = 0;
  int blocks = 0;
  int long_words = 0;   // in blocks of 20 words and more
  int heading_blocks = 0;
  int images = 0;
  int repeats = 0;      // siblings with the same signature, itself included
  int top = 0;          // the outermost ancestor with no more words than this one
  int top_repeats = 0;  // the most `repeats` from here to `top`
};

// A run of inline content between two block boundaries.
struct Block {
  u32 begin = 0, end = 0;              // its text, in Page::text
  u32 first_word = 0, last_word = 0;   // its words, in Page::words
  int node = 0;
  u32 flags = 0;
  u32 hash = 0;  // of all its words
  int words = 0, link_words = 0, bold_words = 0, capital_words = 0, code_words = 0, hidden_words = 0;
  int characters = 0, upper = 0, digits = 0;
  int commas = 0, sentences = 0, breaks = 0, images = 0, links = 0;
  u8 ending = 0;  // 1 a full stop or the like, 2 a colon, 3 a comma
  u8 price = 0;   // has a sign of a currency
  u8 start = 0;   // 1 begins inside a link, 2 inside bold text
  int copies = 0; // blocks of the page with the same words, itself included
};

// Text of a table's cell that has no words in it ("-", "✓"): no block, but a table has to show it.
struct Scrap {
  u32 begin = 0, end = 0;
  int node = 0;
  int after = 0;  // how many blocks come before it
};

// Types of schema.org that pages declare in JSON-LD, by bit.
inline constexpr const char* LINKED_TYPES[] = {
    "article", "newsarticle", "blogposting", "product", "itemlist", "collectionpage", "faqpage", "qapage",
    "discussionforumposting", "organization", "recipe", "event", "service", "techarticle", "jobposting",
    "localbusiness", "breadcrumblist", "website"};
inline constexpr int LINKED_TYPE_COUNT = sizeof(LINKED_TYPES) / sizeof(LINKED_TYPES[0]);

struct Page {
  std::string url;
  std::string text;
  std::vector<Node> nodes;
  std::vector<Block> blocks;
  std::vector<Scrap> scraps;
  std::vector<u32> words;    // hashes, in the order of the text
  std::vector<u16> tokens;   // slots of class names, ids, roles
  std::vector<std::string> languages;
  std::string title, heading_title, description, open_graph_type;
  std::string linked_data;   // JSON-LD scripts with an articleBody, each ended by NUL
  u32 linked_types = 0;
  int articles = 0, first_headings = 0, forms = 0, images = 0, inputs = 0, scripts = 0;
  bool truncated = false;    // more blocks or elements than MAX_BLOCKS, MAX_NODES
  u64 work = 0;              // steps taken; tests hold it to a multiple of the page's length
};

// Limits that no real page reaches; they bound the memory that a hostile one takes.
inline constexpr std::size_t MAX_DEPTH = 512;  // as in browsers
inline constexpr std::size_t MAX_NODES = 1'000'000;
inline constexpr std::size_t MAX_BLOCKS = 200'000;
inline constexpr u32 MAX_NODE_TOKENS = 24;
inline constexpr int TOKEN_BITS = 16;

// Reads a page in one pass. `html` is UTF-8; other bytes are carried along as they are.
void read_page(Span html, Span url, Page& page);
// Fills the totals of nodes and blocks; part of read_page.
void add_up(Page& page);

}  // namespace gristmill
