// Second stage: what the first stage's probabilities say of a block's neighbourhood, containers and look-alikes, and of
// the cut that they would make.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "columns.hpp"
#include "features.hpp"

namespace gristmill {
namespace {

constexpr int NEAR = 4;                // neighbours on each side
constexpr int WINDOWS[] = {3, 8, 20};  // blocks on each side
constexpr float DECAY = 0.8f;          // of the smoothed probability, a block
constexpr int FAR = 99;                // blocks; more is all the same
constexpr float ABSENT = -1.0f;
constexpr float TINY = 1e-9f;

// Words, and how many of them are expected to be main text.
struct Mass {
  float words = 0, expected = 0;
  Mass& operator+=(const Mass& other) {
    words += other.words;
    expected += other.expected;
    return *this;
  }
  Mass operator-(const Mass& other) const { return {words - other.words, expected - other.expected}; }
  float mean() const { return expected / (words + TINY); }
};

// The cut of a page by probability: how good each prefix of the blocks, likeliest first, is expected to be.
struct Cut {
  float best = 0;            // F1
  std::vector<Mass> above;   // of each block: what is likelier, itself included
  std::vector<float> f1;     // of each block: of the cut right behind it
};

class Context {
 public:
  Context(const Page& page, const float* p) : page_(page), p_(p), count_(static_cast<int>(page.blocks.size())) {
    before_.resize(count_ + 1);
    for (int i = 0; i < count_; i++) {
      before_[i + 1] = before_[i];
      before_[i + 1] += mass(i);
    }
    all_ = before_[count_];
    add_boxes();
    add_sections();
    add_cut();
    add_kept();
    alike_ = grouped([&](int i) {
      const Node& node = page_.nodes[page_.blocks[i].node];
      return static_cast<u64>(node.signature ^ (node.parent >= 0 ? page_.nodes[node.parent].signature * 31 : 0));
    });
    flagged_ = grouped([&](int i) {
      const Block& block = page_.blocks[i];
      return static_cast<u64>(block.flags) << 8 | page_.nodes[block.node].tag;
    });
    smooth();
  }

  template <class Sink>
  void write(int i, Sink& put) const {
    put.under("");
    put("p", p_[i]);
    put.under("p");
    for (int d = NEAR; d > 0; d--) put(BEFORE[d - 1], i - d < 0 ? ABSENT : p_[i - d]);
    for (int d = 1; d <= NEAR; d++) put(AFTER[d - 1], i + d >= count_ ? ABSENT : p_[i + d]);
    for (int w = 0; w < 3; w++)
      put(WINDOW_NAMES[w], between(std::max(i - WINDOWS[w], 0), std::min(i + WINDOWS[w] + 1, count_)));
    put("smooth", smooth_[i].mean());
    put("all_before", before_[i].mean());
    put("all_after", between(i + 1, count_));
    put("most_before", most_before_[i]);
    put("most_after", most_after_[i]);
    put("share_before", before_[i].expected / (all_.expected + TINY));
    put("page", all_.mean());
    put("page_words", all_.expected);
    put("page_most", most_before_[count_ - 1]);
    put("page_doubt", doubt_ / (all_.expected + TINY));
    put("section", sections_[section_[i]].mean());
    put("last_heading", last_heading_[i]);
    put("alike", alike_[i].mass.mean());
    put("alike_count", static_cast<float>(alike_[i].count));
    put("alike_flags", flagged_[i].mass.mean());
    boxes(i, put);
    put.under("cut");
    put("f1", cut_.best);
    put("margin", p_[i] - cut_.best / 2);
    put("words_above", cut_.above[i].words / (all_.words + TINY));
    put("recall_above", cut_.above[i].expected / (all_.expected + TINY));
    put("f1_here", cut_.f1[i]);
    put("kept_share", kept_.back().words / (all_.words + TINY));
    put("kept_words", kept_.back().words);
    put("precision", kept_.back().mean());
    put("words_before", kept_[i].words);
    put("words_after", kept_.back().words - kept_[i + 1].words);
    put("since", static_cast<float>(since_[i]));
    put("until", static_cast<float>(until_[i]));
    put("run_words", keep_[i] ? run_words_[run_[i]] : -run_words_[run_[i]]);
    put("runs", static_cast<float>(run_words_.size()));
    put("from_longest", static_cast<float>(i < longest_begin_ ? i - longest_begin_ : std::max(i - longest_end_ + 1, 0)));
  }

 private:
  static constexpr const char* BEFORE[] = {"before1", "before2", "before3", "before4"};
  static constexpr const char* AFTER[] = {"after1", "after2", "after3", "after4"};
  static constexpr const char* WINDOW_NAMES[] = {"window3", "window8", "window20"};
  struct Group {
    Mass mass;
    int count = 0;
  };

  Mass mass(int i) const {
    const auto words = static_cast<float>(page_.blocks[i].words);
    return {words, words * p_[i]};
  }
  float between(int from, int to) const { return (before_[to] - before_[from]).mean(); }

  template <class Sink>
  void boxes(int i, Sink& put) const {
    int a = page_.blocks[i].node;
    for (int level = 0; level < LEVELS; level++) {
      put.under("p.box", level);
      const auto words = static_cast<float>(a > 0 ? page_.nodes[a].words : 0);
      put("mean", a > 0 ? inside_[a] / words : ABSENT);
      put("share", a > 0 ? inside_[a] / (all_.expected + TINY) : ABSENT);
      put("f1", a > 0 ? 2 * inside_[a] / (words + all_.expected + TINY) : ABSENT);
      if (a > 0) a = page_.nodes[page_.nodes[a].top].parent;
    }
  }

  void add_boxes() {
    inside_.assign(page_.nodes.size(), 0.0f);
    for (int i = 0; i < count_; i++) inside_[page_.blocks[i].node] += mass(i).expected;
    for (std::size_t i = page_.nodes.size() - 1; i > 0; i--) inside_[page_.nodes[i].parent] += inside_[i];
  }

  void add_sections() {
    sections_.resize(1);
    section_.resize(count_);
    last_heading_.resize(count_);
    most_before_.resize(count_);
    most_after_.resize(count_);
    float heading = ABSENT;
    for (int i = 0; i < count_; i++) {
      const bool is_heading = page_.nodes[page_.blocks[i].node].heading;
      if (is_heading) sections_.emplace_back();
      section_[i] = static_cast<int>(sections_.size()) - 1;
      sections_.back() += mass(i);
      last_heading_[i] = heading;
      if (is_heading) heading = p_[i];
      most_before_[i] = i ? std::max(most_before_[i - 1], p_[i]) : p_[i];
      doubt_ += mass(i).expected * (1 - p_[i]);
    }
    for (int i = count_ - 1; i >= 0; i--) most_after_[i] = i < count_ - 1 ? std::max(most_after_[i + 1], p_[i]) : p_[i];
  }

  void add_cut() {
    std::vector<int> order(count_);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [this](int a, int b) { return p_[a] > p_[b]; });
    cut_.above.resize(count_);
    cut_.f1.resize(count_);
    Mass above;
    for (int i : order) {
      above += mass(i);
      cut_.above[i] = above;
      cut_.f1[i] = 2 * above.expected / (above.words + all_.expected + TINY);
      cut_.best = std::max(cut_.best, cut_.f1[i]);
    }
  }

  // Where the kept blocks lie: what comes before and after, how far the next one is, in which run.
  void add_kept() {
    keep_.resize(count_);
    kept_.resize(count_ + 1);
    since_.assign(count_, FAR);
    until_.assign(count_, FAR);
    run_.resize(count_);
    int last = -FAR;
    float longest = -1;
    for (int i = 0, begin = 0; i < count_; i++) {
      keep_[i] = p_[i] >= cut_.best / 2;
      if (!i || keep_[i] != keep_[i - 1]) {
        run_words_.push_back(0);
        begin = i;
      }
      run_[i] = static_cast<int>(run_words_.size()) - 1;
      run_words_.back() += mass(i).words;
      kept_[i + 1] = kept_[i];
      since_[i] = std::min(i - last, FAR);
      if (!keep_[i]) continue;
      kept_[i + 1] += mass(i);
      last = i;
      if (run_words_.back() > longest) {
        longest = run_words_.back();
        longest_begin_ = begin;
        longest_end_ = i + 1;
      }
    }
    for (int i = count_ - 1, next = count_ - 1 + FAR; i >= 0; i--) {
      until_[i] = std::min(next - i, FAR);
      if (keep_[i]) next = i;
    }
  }

  template <class Key>
  std::vector<Group> grouped(Key key) const {
    std::vector<std::pair<u64, int>> order(count_);
    for (int i = 0; i < count_; i++) order[i] = {key(i), i};
    std::sort(order.begin(), order.end());
    std::vector<Group> groups(count_);
    for (int i = 0, j = 0; i < count_; i = j) {
      Group group;
      for (j = i; j < count_ && order[j].first == order[i].first; j++) group.mass += mass(order[j].second);
      group.count = j - i;
      for (int k = i; k < j; k++) groups[order[k].second] = group;
    }
    return groups;
  }

  // Probability around a block, weights falling with distance on both sides.
  void smooth() {
    smooth_.resize(count_);
    Mass sum;
    for (int i = 0; i < count_; i++) {
      sum = {sum.words * DECAY, sum.expected * DECAY};
      sum += mass(i);
      smooth_[i] = sum;
    }
    sum = {};
    for (int i = count_ - 1; i >= 0; i--) {
      smooth_[i] += sum;
      sum += mass(i);
      sum = {sum.words * DECAY, sum.expected * DECAY};
    }
  }

  const Page& page_;
  const float* p_;
  const int count_;
  Mass all_;
  float doubt_ = 0;  // words, times probability, times probability of the opposite
  std::vector<Mass> before_, sections_, kept_, smooth_;
  std::vector<float> inside_, most_before_, most_after_, last_heading_;
  std::vector<int> section_, since_, until_, run_;
  std::vector<float> run_words_;
  std::vector<u8> keep_;
  std::vector<Group> alike_, flagged_;
  Cut cut_;
  int longest_begin_ = 0, longest_end_ = 0;
};

}  // namespace

const std::vector<std::string>& second_feature_names() {
  static const std::vector<std::string> names = [] {
    ColumnNames sink;
    const float p = 0.5f;
    Context(sample_page(), &p).write(0, sink);
    return sink.names;
  }();
  return names;
}

void second_features(const Page& page, const float* probabilities, float* out, Layout layout) {
  if (page.blocks.empty()) return;
  const Context context(page, probabilities);
  for (std::size_t i = 0; i < page.blocks.size(); i++) {
    ColumnValues sink{out + i * layout.row, layout.column};
    context.write(static_cast<int>(i), sink);
  }
}

}  // namespace gristmill
