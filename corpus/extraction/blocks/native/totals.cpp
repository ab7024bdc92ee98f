// Totals of elements and blocks, once the page has been read.
#include <algorithm>

#include "page.hpp"

namespace gristmill {
namespace {

constexpr int LONG_BLOCK = 20;  // words from which a block counts as running text

// Counts keys; open addressing, keys are spread already.
class Counter {
 public:
  explicit Counter(std::size_t items) {
    while (size_ < items * 2) size_ *= 2;
    keys_.assign(size_, 0);
    counts_.assign(size_, 0);
  }
  int& operator[](u64 key) {
    key |= 1;
    std::size_t slot = (key * 0x9E3779B97F4A7C15ULL >> 20) & (size_ - 1);
    while (keys_[slot] && keys_[slot] != key) slot = (slot + 1) & (size_ - 1);
    keys_[slot] = key;
    return counts_[slot];
  }

 private:
  std::size_t size_ = 64;
  std::vector<u64> keys_;
  std::vector<int> counts_;
};

}  // namespace

void add_up(Page& page) {
  auto& nodes = page.nodes;
  auto& blocks = page.blocks;
  for (const Block& block : blocks) {
    Node& node = nodes[block.node];
    node.words += block.words;
    node.link_words += block.link_words;
    node.blocks++;
    node.images += block.images;
    if (block.words >= LONG_BLOCK) node.long_words += block.words;
    if (node.heading) node.heading_blocks++;
  }
  for (std::size_t i = nodes.size() - 1; i > 0; i--) {
    const Node& node = nodes[i];
    Node& parent = nodes[node.parent];
    parent.words += node.words;
    parent.link_words += node.link_words;
    parent.blocks += node.blocks;
    parent.images += node.images;
    parent.long_words += node.long_words;
    parent.heading_blocks += node.heading_blocks;
  }
  Counter siblings(nodes.size());
  // 31 bits of the signature: the lowest bit of a key marks a used slot.
  auto key = [&](const Node& node) { return static_cast<u64>(node.parent) << 32 | (node.signature & ~1u); };
  for (std::size_t i = 1; i < nodes.size(); i++)
    if (nodes[i].words) siblings[key(nodes[i])]++;
  for (std::size_t i = 1; i < nodes.size(); i++) {
    Node& node = nodes[i];
    if (node.words) node.repeats = siblings[key(node)];
    node.top = static_cast<int>(i);
    node.top_repeats = node.repeats;
    const Node& parent = nodes[node.parent];
    if (node.parent > 0 && parent.words == node.words) {
      node.top = parent.top;
      node.top_repeats = std::max(node.repeats, parent.top_repeats);
    }
  }
  Counter copies(blocks.size());
  for (const Block& block : blocks) copies[static_cast<u64>(block.hash) << 1]++;
  for (Block& block : blocks) block.copies = copies[static_cast<u64>(block.hash) << 1];
  for (const Block& block : blocks) {
    if (nodes[block.node].heading == 1) {
      page.heading_title.assign(page.text, block.begin, block.end - block.begin);
      break;
    }
  }
}

}  // namespace gristmill
