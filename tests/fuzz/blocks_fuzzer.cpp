// libFuzzer's target: any bytes as a page, through every function of the library; what must hold is checked.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "api.h"

namespace {

// Steps a byte of the page may take: the stack has at most 512 elements, and a tag has at least three bytes.
constexpr uint64_t WORK_PER_BYTE = 1100;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

std::size_t lines(const char* names) {
  std::size_t count = 0;
  for (; *names; names++) count += *names == '\n';
  return count;
}

// The model in the file that $GRISTMILL_BLOCKS_MODEL names, if any.
gm_model* model() {
  static gm_model* const read = []() -> gm_model* {
    const char* name = std::getenv("GRISTMILL_BLOCKS_MODEL");
    if (!name) return nullptr;
    std::ifstream file(name, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const char* wrong = "";
    gm_model* one = gm_model_read(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), &wrong);
    require(one, wrong);
    return one;
  }();
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::size_t first = lines(gm_block_feature_names());
  static const std::size_t second = lines(gm_second_feature_names());
  static const char url[] = "https://example.org/forum/t/1?x=2";
  gm_page* page = gm_parse(data, size, reinterpret_cast<const uint8_t*>(url), sizeof url - 1);
  require(page, "a page is read");
  require(gm_work(page) <= WORK_PER_BYTE * (size + 64), "linear time");
  const std::size_t n = gm_block_count(page);
  std::size_t text_size = 0;
  gm_text(page, &text_size);
  require(text_size <= 2 * size + 64, "text no longer than twice the page");
  std::vector<gm_block> blocks(n);
  gm_blocks(page, blocks.data());
  uint32_t last = 0;
  std::size_t block_text = 0;
  for (const gm_block& block : blocks) {
    require(block.begin >= last && block.begin < block.end && block.end <= text_size, "blocks in order");
    require(block.words > 0 && block.node >= 0 && block.heading <= 6, "blocks have words");
    last = block.end;
    block_text += block.end - block.begin;
  }
  static const std::vector<float> table = [] {
    std::vector<float> scores(1 << 16);
    for (std::size_t i = 0; i < scores.size(); i++) scores[i] = static_cast<float>(i % 7) - 3.0f;
    return scores;
  }();
  const std::size_t stride = first + second + 1;
  std::vector<float> rows((n + 1) * stride, 0.5f), p(n);
  require(gm_block_features(page, table.data(), rows.data(), stride) == 0, "features");
  for (std::size_t i = 0; i < n; i++) p[i] = static_cast<float>(i * 37 % 101) / 100.0f;
  require(gm_second_features(page, p.data(), rows.data() + first, stride) == 0, "second features");
  for (std::size_t i = 0; i < n; i++) {
    for (std::size_t k = 0; k < stride - 1; k++) require(std::isfinite(rows[i * stride + k]), "finite features");
    require(rows[i * stride + stride - 1] == 0.5f, "rows stay in their place");
  }
  static std::vector<uint16_t> slots(1 << 16);
  static std::vector<float> words(1 << 16), kept(1 << 16);
  require(gm_class_statistics(page, p.data(), slots.data(), words.data(), kept.data()) >= 0, "class statistics");
  std::vector<uint8_t> keep(n);
  for (int pattern = 0; pattern < 3; pattern++) {
    for (std::size_t i = 0; i < n; i++) keep[i] = pattern == 0 || (i * 2654435761u >> (7 + pattern)) % 3 != 0;
    for (int format = 0; format < 2; format++) {
      std::size_t out = 0;
      require(gm_assemble(page, keep.data(), format, &out) != nullptr, "assembled");
      require(pattern || out >= block_text, "kept text is written");
    }
  }
  if (model()) {
    std::vector<float> one(n + 1), two(n + 1);
    require(gm_probabilities(model(), page, one.data(), two.data()) == 0, "probabilities");
    for (std::size_t i = 0; i < n; i++) {
      require(one[i] >= 0 && one[i] <= 1 && two[i] >= 0 && two[i] <= 1, "probabilities from 0 to 1");
    }
    std::size_t out = 0;
    require(gm_extract(model(), page, 0, &out) != nullptr, "extracted");
  }
  std::size_t title = 0, linked = 0;
  gm_title(page, &title);
  gm_linked_data(page, &linked);
  require(title <= 2 * size + 8 && linked <= size + size / 10 + 8, "strings of the page's size");
  gm_free(page);
  return 0;
}
