/* The library's C interface. Strings are UTF-8; memory that a page hands out lives as long as the page. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define GRISTMILL_API __declspec(dllexport)
#else
#define GRISTMILL_API __attribute__((visibility("default")))
#endif

typedef struct gm_page gm_page;
typedef struct gm_model gm_model;

/* A block as callers see it; `begin` and `end` are bytes of the page's text. */
typedef struct {
  uint32_t begin, end, flags;
  int32_t words, node;
  uint8_t tag, heading, ending, unused;
} gm_block;

/* The sources that the library was built from: SHA-256 in hex. */
GRISTMILL_API const char* gm_source_digest(void);
GRISTMILL_API int32_t gm_features_version(void);
/* Column names, each ended by a line feed. */
GRISTMILL_API const char* gm_block_feature_names(void);
GRISTMILL_API const char* gm_second_feature_names(void);
/* Names of tags and flags by number, each ended by a line feed. */
GRISTMILL_API const char* gm_tag_names(void);
GRISTMILL_API const char* gm_flag_names(void);

/* Reads a page. NULL where memory does not suffice. */
GRISTMILL_API gm_page* gm_parse(const uint8_t* html, size_t size, const uint8_t* url, size_t url_size);
GRISTMILL_API void gm_free(gm_page* page);

GRISTMILL_API size_t gm_block_count(const gm_page* page);
GRISTMILL_API void gm_blocks(const gm_page* page, gm_block* out);
GRISTMILL_API const char* gm_text(const gm_page* page, size_t* size);
GRISTMILL_API const char* gm_title(const gm_page* page, size_t* size);
/* JSON-LD scripts with an articleBody, each ended by NUL. */
GRISTMILL_API const char* gm_linked_data(const gm_page* page, size_t* size);
/* Steps taken, for tests of linear time; whether limits cut the page short. */
GRISTMILL_API uint64_t gm_work(const gm_page* page);
GRISTMILL_API int32_t gm_truncated(const gm_page* page);

/* Rows of features, `stride` floats apart. `class_table`: 65,536 scores or NULL. 0, or -1 without memory. */
GRISTMILL_API int32_t gm_block_features(const gm_page* page, const float* class_table, float* out, size_t stride);
GRISTMILL_API int32_t gm_second_features(const gm_page* page, const float* probabilities, float* out, size_t stride);

/* The text of the blocks with a non-zero byte in `keep`. `format`: 0 Markdown, 1 plain. NULL without memory. */
GRISTMILL_API const char* gm_assemble(gm_page* page, const uint8_t* keep, int32_t format, size_t* size);

/* How much of what stands in elements with a class name is main text: for each slot of the class table that the
   page has, the words in such elements and those of them that `kept` (a share per block) keeps. Returns how many
   slots; the arrays hold 65,536. */
GRISTMILL_API int32_t gm_class_statistics(const gm_page* page, const float* kept, uint16_t* slots, float* words,
                                          float* kept_words);

/* Vector instructions for trees: 0 none, 1 AVX2, 2 AVX-512. Uses the best of the machine's that are not above `most`,
   and returns which. For tests and measurements; results are the same with all. */
GRISTMILL_API int32_t gm_use_instructions(int32_t most);
/* A model file (model.hpp). NULL, and in `wrong` why, where it cannot be used. */
GRISTMILL_API gm_model* gm_model_read(const uint8_t* file, size_t size, const char** wrong);
GRISTMILL_API void gm_model_free(gm_model* model);
/* Both stages' probabilities that blocks are main text, one a block. 0, or -1 without memory. */
GRISTMILL_API int32_t gm_probabilities(const gm_model* model, const gm_page* page, float* first, float* second);
/* Which blocks to keep, one byte a block: the cut by probability with the best expected word F1. */
GRISTMILL_API int32_t gm_cut(const gm_page* page, const float* probabilities, uint8_t* keep);
/* All of it: the page's main text, as gm_assemble has it. */
GRISTMILL_API const char* gm_extract(const gm_model* model, gm_page* page, int32_t format, size_t* size);

#ifdef __cplusplus
}
#endif
