// The model that decides which blocks are main text: class table, two forests, and a cut for each page.
//
// File, little-endian: "GMBLOCKS", u32 format, 32 bytes SHA-256 of the features (see library.py), u64 FNV-1a of all
// that follows; u32 entries of the class table, each u16 slot and i16 score in units of 2^-10; the forests of the first
// and the second stage, each u32 conditions, u32 trees, the conditions (u16 feature, f32 threshold; ascending), the
// trees (u8 leaves; splits of u16 condition and u8 leaf; i32 leaf values in units of 2^-24).
#pragma once
#include "features.hpp"
#include "trees.hpp"

namespace gristmill {

inline constexpr u32 MODEL_FORMAT = 1;
inline constexpr std::size_t MODEL_DIGEST_BYTES = 32;
inline constexpr float CLASS_SCORE_UNIT = 1.0f / 1024;

class Model {
 public:
  // Returns what is wrong with the file, or nullptr.
  const char* read(Span file);
  // Both stages' probabilities that blocks are main text, one a block.
  void probabilities(const Page& page, float* first, float* second) const;

 private:
  std::vector<float> class_table_;
  Forest first_, second_;
};

// Which blocks to keep, one byte a block: those of the cut by probability with the best expected word F1.
void cut(const Page& page, const float* probabilities, u8* keep);

}  // namespace gristmill
