#include "features.hpp"

#include <algorithm>
#include <cmath>

#include "columns.hpp"
#include "text.hpp"

namespace gristmill {
namespace {

constexpr int LONG_BLOCK = 20;        // words from which a block counts as running text
constexpr int SHORT_BLOCK = 5;        // words below which it counts as a label
constexpr int OVERLAP_WORDS = 40;     // how much of a block is compared with the title and the description
constexpr int REPEATED = 4;           // alike siblings from which a page counts as a listing
constexpr float DECAY = 0.7f;         // of running text before and after a block, a block
constexpr float ABSENT = -1.0f;       // no such neighbour, no such container

inline float share(float part, float whole) { return whole > 0 ? part / whole : 0.0f; }

// What class names say of an element, by the model's table.
struct ClassScore {
  float own = 0;                 // mean of its names
  float least = 0, most = 0;     // over it and its ancestors
  float sum = 0;
  float nearest = 0;             // of the nearest element with known names
  float level_least = 0, level_most = 0;  // of `own`, from here to the outermost element of the same size
};

std::vector<ClassScore> class_scores(const Page& page, const float* table) {
  std::vector<ClassScore> scores(page.nodes.size());
  if (!table) return scores;
  for (std::size_t i = 0; i < scores.size(); i++) {
    const Node& node = page.nodes[i];
    ClassScore& score = scores[i];
    float sum = 0, least = 0, most = 0;
    int known = 0;
    for (u32 k = 0; k < node.tokens; k++) {
      const float value = table[page.tokens[node.first_token + k]];
      if (value == 0) continue;
      known++;
      sum += value;
      least = std::min(least, value);
      most = std::max(most, value);
    }
    score.own = known ? sum / static_cast<float>(known) : 0;
    score.level_least = score.level_most = score.own;
    if (i == 0) continue;
    const ClassScore& above = scores[node.parent];
    score.least = std::min(above.least, least);
    score.most = std::max(above.most, most);
    score.sum = above.sum + least + most;
    score.nearest = known ? score.own : above.nearest;
    if (node.top != static_cast<int>(i)) {
      score.level_least = std::min(score.own, above.level_least);
      score.level_most = std::max(score.own, above.level_most);
    }
  }
  return scores;
}

// A set of word hashes with a quick no.
class WordSet {
 public:
  explicit WordSet(const std::string& text) : words_(word_hashes(text)) {
    std::sort(words_.begin(), words_.end());
    for (u32 word : words_) seen_[word >> 26] = true;
  }
  bool empty() const { return words_.empty(); }
  bool has(u32 word) const { return seen_[word >> 26] && std::binary_search(words_.begin(), words_.end(), word); }
  float overlap(const Page& page, const Block& block) const {
    const int compared = std::min(block.words, OVERLAP_WORDS);
    if (words_.empty() || !compared) return 0;
    int hits = 0;
    for (int i = 0; i < compared; i++) hits += has(page.words[block.first_word + i]);
    return static_cast<float>(hits) / static_cast<float>(compared);
  }

 private:
  std::vector<u32> words_;
  bool seen_[64] = {};
};

int url_kind(Span url) {
  auto has = [&](std::initializer_list<const char*> parts) {
    return std::any_of(parts.begin(), parts.end(), [&](const char* part) { return contains(url, part); });
  };
  if (has({"/product", "/p/", "/dp/", "/item"})) return 1;
  if (has({"/collection", "/categor", "/c/", "/shop"})) return 2;
  if (has({"forum", "/t/", "thread", "question", "topic", "/r/"})) return 3;
  if (has({"/doc", "/api", "/guide", "reference", "manual"})) return 4;
  if (has({"blog", "news", "article", "/20"})) return 5;
  if (has({"service", "pricing", "solutions", "features"})) return 6;
  return 0;
}

int open_graph_kind(const std::string& type) {
  const Span span{reinterpret_cast<const u8*>(type.data()), type.size()};
  if (type.empty()) return 0;
  if (contains(span, "article")) return 1;
  if (contains(span, "product")) return 2;
  if (contains(span, "website")) return 3;
  return 4;
}

// What holds for the whole page.
struct PageTotals {
  float words = 0, link_words = 0, long_words = 0, repeated_words = 0;
  float flagged[FLAG_FEATURES] = {};
  int prices = 0, long_blocks = 0, short_blocks = 0, most_repeats = 0, first_heading = -1;
  int url_depth = 0, url_digits = 0, url_kind = 0, open_graph = 0;
  bool url_query = false;
};

PageTotals totals_of(const Page& page) {
  PageTotals totals;
  for (std::size_t i = 0; i < page.blocks.size(); i++) {
    const Block& block = page.blocks[i];
    const auto words = static_cast<float>(block.words);
    totals.words += words;
    totals.link_words += static_cast<float>(block.link_words);
    if (block.words >= LONG_BLOCK) {
      totals.long_blocks++;
      totals.long_words += words;
    }
    totals.short_blocks += block.words < SHORT_BLOCK;
    totals.prices += block.price;
    if (totals.first_heading < 0 && page.nodes[block.node].heading == 1) totals.first_heading = static_cast<int>(i);
    for (u32 flags = block.flags & ((1u << FLAG_FEATURES) - 1), bit = 0; flags; flags >>= 1, bit++)
      if (flags & 1) totals.flagged[bit] += words;
  }
  for (std::size_t i = 1; i < page.nodes.size(); i++) {
    const Node& node = page.nodes[i];
    if (node.repeats < REPEATED) continue;
    totals.most_repeats = std::max(totals.most_repeats, node.repeats);
    if (node.blocks >= 2) totals.repeated_words += static_cast<float>(node.words);
  }
  const Span url{reinterpret_cast<const u8*>(page.url.data()), page.url.size()};
  const u8* p = find(url.begin(), url.end(), "//", 2);
  p = p < url.end() ? p + 2 : url.begin();
  for (; p < url.end(); p++) {
    if (*p == '?') {
      totals.url_query = true;
      break;
    }
    totals.url_depth += *p == '/' && p + 1 < url.end();
    totals.url_digits += is_digit(*p);
  }
  totals.url_kind = url_kind(url);
  totals.open_graph = open_graph_kind(page.open_graph_type);
  return totals;
}

// The rows of one page, written from the first block to the last.
class Rows {
 public:
  Rows(const Page& page, const float* class_table)
      : page_(page),
        scores_(class_scores(page, class_table)),
        totals_(totals_of(page)),
        title_(page.title),
        description_(page.description) {
    const std::size_t n = page.blocks.size();
    before_.resize(n);
    after_.resize(n);
    float sum = 0;
    for (std::size_t i = 0; i < n; i++) {
      before_[i] = sum;
      sum = sum * DECAY + plain_words(i);
    }
    sum = 0;
    for (std::size_t i = n; i-- > 0;) {
      after_[i] = sum;
      sum = sum * DECAY + plain_words(i);
    }
  }

  template <class Sink>
  void write(int i, Sink& put) {
    const Block& block = page_.blocks[i];
    const Node& node = page_.nodes[block.node];
    own(block, node, put);
    position(i, block, put);
    neighbours(i, block, put);
    containers(block, put);
    page(put);
    words_before_ += static_cast<float>(block.words);
    plain_before_ += plain_words(i);
    if (node.heading) {
      last_heading_ = i;
      last_heading_overlap_ = title_overlap_;
    }
  }

 private:
  float plain_words(std::size_t i) const {
    return static_cast<float>(page_.blocks[i].words - page_.blocks[i].link_words);
  }

  template <class Sink>
  void own(const Block& block, const Node& node, Sink& put) {
    const auto words = static_cast<float>(block.words);
    const auto characters = static_cast<float>(std::max(block.characters, 1));
    title_overlap_ = title_.overlap(page_, block);
    put.under("");
    put("words", words);
    put("link_share", share(static_cast<float>(block.link_words), words));
    put("links", static_cast<float>(block.links));
    put("commas", share(static_cast<float>(block.commas), words));
    put("sentences", static_cast<float>(block.sentences));
    put("ending", block.ending);
    put("capitals", share(static_cast<float>(block.capital_words), words));
    put("upper", static_cast<float>(block.upper) / characters);
    put("digits", static_cast<float>(block.digits) / characters);
    put("word_length", share(static_cast<float>(block.characters), words));
    put("bold_share", share(static_cast<float>(block.bold_words), words));
    put("code_share", share(static_cast<float>(block.code_words), words));
    put("hidden_share", share(static_cast<float>(block.hidden_words), words));
    put("breaks", static_cast<float>(block.breaks));
    put("images", static_cast<float>(block.images));
    put("start", block.start);
    put("price", block.price);
    put("copies", static_cast<float>(std::min(block.copies, 255)));
    put("title_overlap", title_overlap_);
    put("description_overlap", block.words >= SHORT_BLOCK ? description_.overlap(page_, block) : 0.0f);
    put("tag", node.tag);
    put("heading", node.heading);
    put("list_depth", node.list_depth);
    put("depth", node.depth);
    const ClassScore& score = scores_[block.node];
    put.under("class");
    put("own", score.own);
    put("least", score.least);
    put("most", score.most);
    put("sum", score.sum);
    put("nearest", score.nearest);
    put.under("in");
    for (int bit = 0; bit < FLAG_FEATURES; bit++) put(FLAG_NAMES[bit], static_cast<float>(block.flags >> bit & 1));
  }

  template <class Sink>
  void position(int i, const Block&, Sink& put) {
    const auto count = static_cast<int>(page_.blocks.size());
    put.under("at");
    put("share", static_cast<float>(i) / static_cast<float>(count));
    put("words_before", share(words_before_, totals_.words));
    put("plain_words_before", share(plain_before_, totals_.words - totals_.link_words));
    put("index", static_cast<float>(i));
    put("remaining", static_cast<float>(count - i));
    put("after_h1", totals_.first_heading < 0
                        ? -999.0f
                        : static_cast<float>(std::clamp(i - totals_.first_heading, -60, 300)));
    put("since_heading", last_heading_ < 0 ? 99.0f : static_cast<float>(std::min(i - last_heading_, 99)));
    put("last_heading", last_heading_ < 0 ? 0.0f : page_.nodes[page_.blocks[last_heading_].node].heading);
    put("last_heading_title", last_heading_ < 0 ? 0.0f : last_heading_overlap_);
    put("text_before", before_[i]);
    put("text_after", after_[i]);
  }

  template <class Sink>
  void neighbours(int i, const Block& block, Sink& put) {
    const auto count = static_cast<int>(page_.blocks.size());
    for (int d = -NEIGHBOURS; d <= NEIGHBOURS; d++) {
      if (!d) continue;
      put.under(d < 0 ? "before" : "after", std::abs(d));
      const int j = i + d;
      const bool near = d == -1 || d == 1;
      if (j < 0 || j >= count) {
        put("words", ABSENT);
        put("link_share", ABSENT);
        put("tag", ABSENT);
        if (!near) continue;
        put("class", 0);
        put("ending", 0);
        put("same_flags", 0);
        put("same_kind", 0);
        continue;
      }
      const Block& other = page_.blocks[j];
      const Node& node = page_.nodes[other.node];
      put("words", static_cast<float>(other.words));
      put("link_share", share(static_cast<float>(other.link_words), static_cast<float>(other.words)));
      put("tag", node.tag);
      if (!near) continue;
      put("class", scores_[other.node].nearest);
      put("ending", other.ending);
      put("same_flags", other.flags == block.flags);
      put("same_kind", node.signature == page_.nodes[block.node].signature);
    }
  }

  template <class Sink>
  void containers(const Block& block, Sink& put) {
    int a = block.node;
    for (int level = 0; level < LEVELS; level++) {
      put.under("box", level);
      if (a <= 0) {
        for (const char* name : {"words", "link_share", "page_share", "blocks", "block_words", "long_share", "repeats",
                                 "images", "class_least", "class_most", "tag"}) {
          put(name, ABSENT);
        }
        continue;
      }
      const Node& node = page_.nodes[a];
      const auto words = static_cast<float>(node.words);
      const auto blocks = static_cast<float>(node.blocks);
      put("words", words);
      put("link_share", share(static_cast<float>(node.link_words), words));
      put("page_share", share(words, totals_.words));
      put("blocks", blocks);
      put("block_words", share(words, blocks));
      put("long_share", share(static_cast<float>(node.long_words), words));
      put("repeats", static_cast<float>(node.top_repeats));
      put("images", static_cast<float>(node.images));
      put("class_least", scores_[a].level_least);
      put("class_most", scores_[a].level_most);
      put("tag", page_.nodes[node.top].tag);
      a = page_.nodes[node.top].parent;
    }
  }

  template <class Sink>
  void page(Sink& put) {
    const PageTotals& t = totals_;
    const auto count = static_cast<float>(page_.blocks.size());
    put.under("page");
    put("words", t.words);
    put("blocks", count);
    put("link_share", share(t.link_words, t.words));
    put("long_share", share(t.long_words, t.words));
    put("long_blocks", static_cast<float>(t.long_blocks));
    put("short_blocks", share(static_cast<float>(t.short_blocks), count));
    put("h1", static_cast<float>(page_.first_headings));
    put("articles", static_cast<float>(page_.articles));
    put("forms", static_cast<float>(page_.forms));
    put("images", static_cast<float>(page_.images));
    put("inputs", static_cast<float>(page_.inputs));
    put("prices", static_cast<float>(t.prices));
    put("most_repeats", static_cast<float>(t.most_repeats));
    put("repeated_share", share(t.repeated_words, t.words));
    put("url_depth", static_cast<float>(t.url_depth));
    put("url_digits", static_cast<float>(t.url_digits));
    put("url_kind", static_cast<float>(t.url_kind));
    put("url_query", t.url_query);
    put("open_graph", static_cast<float>(t.open_graph));
    for (const auto& [name, flag] : {std::pair{"main_share", 5}, {"article_share", 6}, {"table_share", 7},
                                     {"list_share", 8}, {"hidden_share", 11}, {"noscript_share", 18}}) {
      put(name, share(t.flagged[flag], t.words));
    }
    put.under("linked");
    for (int i = 0; i < LINKED_TYPE_COUNT; i++) put(LINKED_TYPES[i], static_cast<float>(page_.linked_types >> i & 1));
  }

  const Page& page_;
  std::vector<ClassScore> scores_;
  PageTotals totals_;
  WordSet title_, description_;
  std::vector<float> before_, after_;
  float words_before_ = 0, plain_before_ = 0;
  float title_overlap_ = 0, last_heading_overlap_ = 0;
  int last_heading_ = -1;
};

}  // namespace

const Page& sample_page() {
  static const Page page = [] {
    Page one;
    static const char html[] = "<p>word</p>";
    read_page({reinterpret_cast<const u8*>(html), sizeof html - 1}, {}, one);
    return one;
  }();
  return page;
}

const std::vector<std::string>& block_feature_names() {
  static const std::vector<std::string> names = [] {
    ColumnNames sink;
    Rows(sample_page(), nullptr).write(0, sink);
    return sink.names;
  }();
  return names;
}

void block_features(const Page& page, const float* class_table, float* out, Layout layout) {
  Rows rows(page, class_table);
  for (std::size_t i = 0; i < page.blocks.size(); i++) {
    ColumnValues sink{out + i * layout.row, layout.column};
    rows.write(static_cast<int>(i), sink);
  }
}

}  // namespace gristmill
