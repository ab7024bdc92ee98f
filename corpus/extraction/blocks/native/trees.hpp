// Gradient-boosted trees over blocks, sixty-four blocks at a time.
//
// No tree is walked. Every distinct condition "feature <= threshold" of a forest is evaluated once for a group of
// blocks: one bit a block, one machine word a condition. A split then divides the word of the leaf that it splits by
// AND and AND NOT, and in the end every leaf adds its value to the blocks whose bits it holds: a few operations a split
// for sixty-four blocks, and no branch on data. Walking 120 trees of 31 leaves took eight times as long.
//
// Leaf values are whole multiples of 2^-24 and are added as integers, so that a score depends neither on the order of
// addition nor on the vector instructions at hand.
#pragma once
#include <vector>

#include "reader.hpp"

namespace gristmill {

inline constexpr std::size_t GROUP = 64;          // blocks, bits of a word
inline constexpr std::size_t MAX_LEAVES = 64;     // of a tree
inline constexpr double LEAF_UNIT = 1.0 / (1 << 24);

// Vector instructions for trees. Results are the same with all.
enum class Instructions : int { PLAIN = 0, AVX2 = 1, AVX512 = 2 };
// Uses the best of the machine's that are not above `most`, and says which; from the start the best there are. For
// tests and measurements: no other thread may be predicting.
Instructions use_instructions(Instructions most);

class Forest {
 public:
  // Reads a forest over `columns` features from the start of `bytes`. Returns how many bytes it takes, 0 where they are
  // no forest.
  std::size_t read(Span bytes, std::size_t columns);
  // Probabilities of `count` blocks. Feature k of block i is features[k * stride + i]; `stride` is at least `count`
  // rounded up to a multiple of GROUP, and what fills a column up may be anything but NaN.
  void predict(const float* features, std::size_t stride, std::size_t count, float* probabilities) const;
  std::size_t trees() const { return leaves_.size(); }

 private:
  struct Run {  // the conditions on one feature
    u32 feature, begin, end;
  };
  struct Split {    // of a tree, in the order in which it grew
    u16 condition;  // where it holds a block stays in `leaf`, else it moves to the tree's newest leaf
    u16 leaf;
  };
  std::vector<Run> runs_;
  std::vector<float> thresholds_;
  std::vector<Split> splits_;
  std::vector<u8> leaves_;        // of each tree
  std::vector<int32_t> values_;   // of all leaves
};

}  // namespace gristmill
