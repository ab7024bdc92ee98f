// Second stage: the first stage's probabilities in a block's neighbourhood, containers and look-alikes.
#include <algorithm>
#include <numeric>

#include "features.hpp"

namespace gristmill {
namespace {

constexpr int NEAR = 4;                      // neighbours on each side
constexpr int WINDOWS[] = {3, 8, 20};        // blocks on each side
constexpr const char* WINDOW_NAMES[] = {"window3", "window8", "window20"};
constexpr float ABSENT = -1.0f;
constexpr float TINY = 1e-9f;

const std::vector<std::string> NAMES = [] {
  std::vector<std::string> names = {"p"};
  for (int d = NEAR; d > 0; d--) names.push_back("p.before" + std::to_string(d));
  for (int d = 1; d <= NEAR; d++) names.push_back("p.after" + std::to_string(d));
  for (const char* name : WINDOW_NAMES) names.push_back(std::string("p.") + name);
  for (const char* name : {"p.all_before", "p.all_after", "p.most_before", "p.most_after", "p.share_before",
                           "p.page", "p.page_words", "p.page_most"}) {
    names.push_back(name);
  }
  for (int level = 0; level < LEVELS; level++) names.push_back("p.box" + std::to_string(level));
  for (const char* name : {"p.section", "p.last_heading", "p.alike", "p.alike_count", "p.expected_f1"})
    names.push_back(name);
  return names;
}();

// Words and expected words of main text.
struct Mass {
  float words = 0, expected = 0;
  void add(const Block& block, float p) {
    words += static_cast<float>(block.words);
    expected += static_cast<float>(block.words) * p;
  }
  float mean() const { return expected / (words + TINY); }
};

// The best F1 that any cut of the page by probability can expect.
float best_f1(const Page& page, const float* p) {
  const std::size_t n = page.blocks.size();
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [p](int a, int b) { return p[a] > p[b]; });
  Mass all, kept;
  for (std::size_t i = 0; i < n; i++) all.add(page.blocks[i], p[i]);
  float best = 0;
  for (int i : order) {
    kept.add(page.blocks[i], p[i]);
    best = std::max(best, 2 * kept.expected / (kept.words + all.expected + TINY));
  }
  return best;
}

}  // namespace

const std::vector<std::string>& second_feature_names() { return NAMES; }

void second_features(const Page& page, const float* p, float* out, std::size_t stride) {
  const auto n = static_cast<int>(page.blocks.size());
  if (!n) return;
  const auto& nodes = page.nodes;
  const auto& blocks = page.blocks;
  std::vector<Mass> before(n + 1);
  std::vector<float> most_before(n), most_after(n), last_heading(n);
  std::vector<float> expected(nodes.size(), 0.0f);
  std::vector<Mass> sections(1);
  std::vector<int> section(n);
  float heading = ABSENT;
  for (int i = 0; i < n; i++) {
    before[i + 1] = before[i];
    before[i + 1].add(blocks[i], p[i]);
    most_before[i] = i ? std::max(most_before[i - 1], p[i]) : p[i];
    expected[blocks[i].node] += static_cast<float>(blocks[i].words) * p[i];
    const bool is_heading = nodes[blocks[i].node].heading;
    if (is_heading) sections.emplace_back();
    section[i] = static_cast<int>(sections.size()) - 1;
    sections.back().add(blocks[i], p[i]);
    last_heading[i] = heading;
    if (is_heading) heading = p[i];
  }
  for (int i = n - 1; i >= 0; i--) most_after[i] = i < n - 1 ? std::max(most_after[i + 1], p[i]) : p[i];
  for (std::size_t i = nodes.size() - 1; i > 0; i--) expected[nodes[i].parent] += expected[i];
  // Blocks of the same kind: their elements and the elements around those have the same tags and classes.
  std::vector<std::pair<u32, int>> kinds(n);
  for (int i = 0; i < n; i++) {
    const Node& node = nodes[blocks[i].node];
    kinds[i] = {node.signature ^ (node.parent >= 0 ? nodes[node.parent].signature * 31 : 0), i};
  }
  std::sort(kinds.begin(), kinds.end());
  std::vector<Mass> alike(n);
  std::vector<int> alike_count(n);
  for (int i = 0, j = 0; i < n; i = j) {
    Mass mass;
    for (j = i; j < n && kinds[j].first == kinds[i].first; j++) mass.add(blocks[kinds[j].second], p[kinds[j].second]);
    for (int k = i; k < j; k++) {
      alike[kinds[k].second] = mass;
      alike_count[kinds[k].second] = j - i;
    }
  }
  const Mass all = before[n];
  const float best = best_f1(page, p);
  auto between = [&](int from, int to) {
    return Mass{before[to].words - before[from].words, before[to].expected - before[from].expected}.mean();
  };
  for (int i = 0; i < n; i++) {
    float* f = out + static_cast<std::size_t>(i) * stride;
    *f++ = p[i];
    for (int d = -NEAR; d <= NEAR; d++)
      if (d) *f++ = i + d < 0 || i + d >= n ? ABSENT : p[i + d];
    for (int reach : WINDOWS) *f++ = between(std::max(i - reach, 0), std::min(i + reach + 1, n));
    *f++ = before[i].mean();
    *f++ = between(i + 1, n);
    *f++ = most_before[i];
    *f++ = most_after[i];
    *f++ = before[i].expected / (all.expected + TINY);
    *f++ = all.mean();
    *f++ = all.expected;
    *f++ = most_before[n - 1];
    int a = blocks[i].node;
    for (int level = 0; level < LEVELS; level++) {
      *f++ = a > 0 ? expected[a] / static_cast<float>(nodes[a].words) : ABSENT;
      if (a > 0) a = nodes[nodes[a].top].parent;
    }
    *f++ = sections[section[i]].mean();
    *f++ = last_heading[i];
    *f++ = alike[i].mean();
    *f++ = static_cast<float>(alike_count[i]);
    *f++ = best;
  }
}

}  // namespace gristmill
