// What the model sees of a block: one row of 32-bit floats.
#pragma once
#include "page.hpp"

namespace gristmill {

// Change it whenever a feature's meaning changes under the same name: models made before are refused then.
inline constexpr int FEATURES_VERSION = 1;
inline constexpr int NEIGHBOURS = 3;  // on each side
inline constexpr int LEVELS = 5;      // containers of different size around a block
inline constexpr std::size_t CLASS_TABLE_SIZE = 1u << TOKEN_BITS;

// Names of the columns of `block_features` and `second_features`, in their order.
const std::vector<std::string>& block_feature_names();
const std::vector<std::string>& second_feature_names();

// A page of one block, to ask the code for its columns' names.
const Page& sample_page();

// Where a table's values go: column k of row i is out[i * row + k * column].
struct Layout {
  std::size_t row, column;
};
// First stage. `class_table` has CLASS_TABLE_SIZE scores of class names (positive: inside main text), or is null.
void block_features(const Page& page, const float* class_table, float* out, Layout layout);
// Second stage: what the first stage's probabilities (one a block) say of a block's surroundings.
void second_features(const Page& page, const float* probabilities, float* out, Layout layout);

}  // namespace gristmill
