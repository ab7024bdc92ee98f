#include "trees.hpp"

#include <cmath>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define GRISTMILL_X86 1
#endif

namespace gristmill {
namespace {

// Sets words[i] to which of GROUP values are at most thresholds[i].
using Compare = void (*)(const float* values, const float* thresholds, std::size_t count, u64* words);
// Adds values[i] to the sums of the blocks whose bits masks[i] holds.
using Add = void (*)(const u64* masks, const int32_t* values, std::size_t count, int32_t* sums);

void compare_plain(const float* values, const float* thresholds, std::size_t count, u64* words) {
  for (std::size_t i = 0; i < count; i++) {
    u64 word = 0;
    for (std::size_t k = 0; k < GROUP; k += 8) {
      u32 eight = 0;
      for (std::size_t j = 0; j < 8; j++) eight |= static_cast<u32>(values[k + j] <= thresholds[i]) << j;
      word |= static_cast<u64>(eight) << k;
    }
    words[i] = word;
  }
}

void add_plain(const u64* masks, const int32_t* values, std::size_t count, int32_t* sums) {
  for (std::size_t i = 0; i < count; i++)
    for (u64 mask = masks[i]; mask; mask &= mask - 1) sums[__builtin_ctzll(mask)] += values[i];
}

#ifdef GRISTMILL_X86
__attribute__((target("avx2"))) void compare_avx2(const float* values, const float* thresholds, std::size_t count,
                                                  u64* words) {
  __m256 v[8];
  for (int k = 0; k < 8; k++) v[k] = _mm256_loadu_ps(values + 8 * k);
  for (std::size_t i = 0; i < count; i++) {
    const __m256 threshold = _mm256_set1_ps(thresholds[i]);
    u64 word = 0;
    for (int k = 0; k < 8; k++) {
      const int eight = _mm256_movemask_ps(_mm256_cmp_ps(v[k], threshold, _CMP_LE_OQ));
      word |= static_cast<u64>(static_cast<u32>(eight)) << (8 * k);
    }
    words[i] = word;
  }
}

__attribute__((target("avx512f"))) void compare_avx512(const float* values, const float* thresholds, std::size_t count,
                                                       u64* words) {
  __m512 v[4];
  for (int k = 0; k < 4; k++) v[k] = _mm512_loadu_ps(values + 16 * k);
  for (std::size_t i = 0; i < count; i++) {
    const __m512 threshold = _mm512_set1_ps(thresholds[i]);
    u64 word = 0;
    for (int k = 0; k < 4; k++)
      word |= static_cast<u64>(_mm512_cmp_ps_mask(v[k], threshold, _CMP_LE_OQ)) << (16 * k);
    words[i] = word;
  }
}

__attribute__((target("avx512f"))) void add_avx512(const u64* masks, const int32_t* values, std::size_t count,
                                                   int32_t* sums) {
  __m512i s[4];
  for (int k = 0; k < 4; k++) s[k] = _mm512_loadu_si512(sums + 16 * k);
  for (std::size_t i = 0; i < count; i++) {
    if (!masks[i]) continue;
    const __m512i value = _mm512_set1_epi32(values[i]);
    for (int k = 0; k < 4; k++)
      s[k] = _mm512_mask_add_epi32(s[k], static_cast<__mmask16>(masks[i] >> (16 * k)), s[k], value);
  }
  for (int k = 0; k < 4; k++) _mm512_storeu_si512(sums + 16 * k, s[k]);
}
#endif

struct Kernels {
  Compare compare = compare_plain;
  Add add = add_plain;
  Instructions instructions = Instructions::PLAIN;

  explicit Kernels(Instructions most) {
#ifdef GRISTMILL_X86
    __builtin_cpu_init();
    if (most >= Instructions::AVX2 && __builtin_cpu_supports("avx2")) {
      compare = compare_avx2;
      instructions = Instructions::AVX2;
    }
    if (most >= Instructions::AVX512 && __builtin_cpu_supports("avx512f")) {
      compare = compare_avx512;
      add = add_avx512;
      instructions = Instructions::AVX512;
    }
#else
    static_cast<void>(most);
#endif
  }
};

Kernels kernels(Instructions::AVX512);

}  // namespace

Instructions use_instructions(Instructions most) {
  kernels = Kernels(most);
  return kernels.instructions;
}

std::size_t Forest::read(Span bytes, std::size_t columns) {
  Reader in(bytes);
  const auto conditions = in.take<u32>();
  const auto trees = in.take<u32>();
  if (conditions > 65536 || trees > 65536) return 0;
  for (u32 i = 0; i < conditions; i++) {
    const u32 feature = in.take<u16>();
    thresholds_.push_back(in.take<float>());
    if (!in.good() || feature >= columns || thresholds_.back() != thresholds_.back()) return 0;
    if (runs_.empty() || feature > runs_.back().feature) runs_.push_back({feature, i, i});
    if (feature < runs_.back().feature) return 0;
    runs_.back().end = i + 1;
  }
  for (u32 tree = 0; tree < trees; tree++) {
    const auto leaves = in.take<u8>();
    if (!leaves || leaves > MAX_LEAVES) return 0;
    for (u8 newest = 1; newest < leaves; newest++) {
      const auto condition = in.take<u16>();
      const u16 leaf = in.take<u8>();
      if (condition >= conditions || leaf >= newest) return 0;
      splits_.push_back({condition, leaf});
    }
    for (u8 leaf = 0; leaf < leaves; leaf++) values_.push_back(in.take<int32_t>());
    leaves_.push_back(leaves);
    if (!in.good()) return 0;
  }
  return in.good() ? in.taken() : 0;
}

void Forest::predict(const float* features, std::size_t stride, std::size_t count, float* probabilities) const {
  std::vector<u64> holds(thresholds_.size());
  u64 in_leaf[MAX_LEAVES];
  int32_t sums[GROUP];
  for (std::size_t start = 0; start < count; start += GROUP) {
    for (const Run& run : runs_)
      kernels.compare(features + run.feature * stride + start, &thresholds_[run.begin], run.end - run.begin,
                      &holds[run.begin]);
    for (int32_t& sum : sums) sum = 0;
    const Split* split = splits_.data();
    const int32_t* values = values_.data();
    for (const u8 leaves : leaves_) {
      in_leaf[0] = ~u64{0};
      for (u8 newest = 1; newest < leaves; newest++, split++) {
        const u64 all = in_leaf[split->leaf];
        const u64 stay = holds[split->condition];
        in_leaf[split->leaf] = all & stay;
        in_leaf[newest] = all & ~stay;
      }
      kernels.add(in_leaf, values, leaves, sums);
      values += leaves;
    }
    for (std::size_t i = start; i < count && i < start + GROUP; i++)
      probabilities[i] = static_cast<float>(1.0 / (1.0 + std::exp(-sums[i - start] * LEAF_UNIT)));
  }
}

}  // namespace gristmill
