#include "model.hpp"

#include <algorithm>
#include <numeric>

namespace gristmill {

const char* Model::read(Span file) {
  constexpr char MAGIC[] = "GMBLOCKS";
  Reader in(file);
  for (std::size_t i = 0; i < sizeof MAGIC - 1; i++)
    if (in.take<char>() != MAGIC[i]) return "it is no model of blocks";
  if (in.take<u32>() != MODEL_FORMAT) return "its format is of another version";
  in.skip(MODEL_DIGEST_BYTES);
  const auto checksum = in.take<u64>();
  if (!in.good()) return "it is cut short";
  u64 sum = 0xcbf29ce484222325u;
  for (const u8* p = in.rest().begin(); p < in.rest().end(); p++) sum = (sum ^ *p) * 0x100000001b3u;
  if (sum != checksum) return "its checksum is wrong";
  class_table_.assign(CLASS_TABLE_SIZE, 0.0f);
  for (auto entries = in.take<u32>(); entries && in.good(); entries--) {
    const auto slot = in.take<u16>();
    class_table_[slot] = static_cast<float>(in.take<int16_t>()) * CLASS_SCORE_UNIT;
  }
  std::size_t columns = block_feature_names().size();
  for (Forest* forest : {&first_, &second_}) {
    const std::size_t size = forest->read(in.rest(), columns);
    if (!size) return "a forest in it is broken";
    in.skip(size);
    columns += second_feature_names().size();
  }
  return in.good() && in.rest().empty() ? nullptr : "it is of another length than it should be";
}

void Model::probabilities(const Page& page, float* first, float* second) const {
  const std::size_t count = page.blocks.size();
  if (!count) return;
  // An odd number of cache lines: columns would else compete for the same few sets of the cache.
  const std::size_t stride = (count + GROUP - 1) / GROUP * GROUP + 16;
  const std::size_t columns = block_feature_names().size();
  std::vector<float> features((columns + second_feature_names().size()) * stride);
  block_features(page, class_table_.data(), features.data(), {1, stride});
  first_.predict(features.data(), stride, count, first);
  second_features(page, first, features.data() + columns * stride, {1, stride});
  second_.predict(features.data(), stride, count, second);
}

void cut(const Page& page, const float* probabilities, u8* keep) {
  const std::size_t count = page.blocks.size();
  std::vector<u32> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [=](u32 a, u32 b) { return probabilities[a] > probabilities[b]; });
  // Doubles, in the order of the page: as corpus/extraction/blocks/cut.py.
  double expected = 0, words = 0, hits = 0, best = -1;
  for (std::size_t i = 0; i < count; i++) expected += static_cast<double>(page.blocks[i].words) * probabilities[i];
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; i++) {
    const double own = page.blocks[order[i]].words;
    words += own;
    hits += own * probabilities[order[i]];
    const double f1 = 2 * hits / (words + expected);
    if (f1 > best) {
      best = f1;
      kept = i + 1;
    }
  }
  std::fill(keep, keep + count, u8{0});
  for (std::size_t i = 0; i < kept; i++) keep[order[i]] = 1;
}

}  // namespace gristmill
