#include "api.h"

#include <new>

#include "assemble.hpp"
#include "model.hpp"

#ifndef GRISTMILL_SOURCE_DIGEST
#define GRISTMILL_SOURCE_DIGEST ""
#endif

using namespace gristmill;

struct gm_page {
  Page page;
  std::string assembled;
};

struct gm_model {
  Model model;
};

namespace {

std::string lines(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

const char* view(const std::string& text, std::size_t* size) {
  *size = text.size();
  return text.data();
}

}  // namespace

extern "C" {

const char* gm_source_digest(void) { return GRISTMILL_SOURCE_DIGEST; }
int32_t gm_features_version(void) { return FEATURES_VERSION; }

const char* gm_block_feature_names(void) {
  static const std::string names = lines(block_feature_names());
  return names.c_str();
}
const char* gm_second_feature_names(void) {
  static const std::string names = lines(second_feature_names());
  return names.c_str();
}
const char* gm_tag_names(void) {
  static const std::string names = [] {
    std::string text;
    for (int tag = 0; tag < TAG_COUNT; tag++) text += std::string(tag_name(static_cast<Tag>(tag))) + "\n";
    return text;
  }();
  return names.c_str();
}
const char* gm_flag_names(void) {
  static const std::string names = [] {
    std::string text;
    for (const char* name : FLAG_NAMES) text += std::string(name) + "\n";
    return text;
  }();
  return names.c_str();
}

gm_page* gm_parse(const uint8_t* html, size_t size, const uint8_t* url, size_t url_size) {
  gm_page* page = nullptr;
  try {
    page = new gm_page;
    read_page({html, size}, {url, url_size}, page->page);
    return page;
  } catch (const std::bad_alloc&) {
    delete page;
    return nullptr;
  }
}

void gm_free(gm_page* page) { delete page; }

size_t gm_block_count(const gm_page* page) { return page->page.blocks.size(); }

void gm_blocks(const gm_page* page, gm_block* out) {
  for (const Block& block : page->page.blocks) {
    const Node& node = page->page.nodes[block.node];
    *out++ = {block.begin, block.end, block.flags, block.words, block.node, node.tag, node.heading, block.ending, 0};
  }
}

const char* gm_text(const gm_page* page, size_t* size) { return view(page->page.text, size); }
const char* gm_title(const gm_page* page, size_t* size) {
  return view(page->page.title.empty() ? page->page.heading_title : page->page.title, size);
}
const char* gm_linked_data(const gm_page* page, size_t* size) { return view(page->page.linked_data, size); }
uint64_t gm_work(const gm_page* page) { return page->page.work; }
int32_t gm_truncated(const gm_page* page) { return page->page.truncated; }

int32_t gm_block_features(const gm_page* page, const float* class_table, float* out, size_t stride) {
  try {
    block_features(page->page, class_table, out, {stride, 1});
    return 0;
  } catch (const std::bad_alloc&) {
    return -1;
  }
}

int32_t gm_second_features(const gm_page* page, const float* probabilities, float* out, size_t stride) {
  try {
    second_features(page->page, probabilities, out, {stride, 1});
    return 0;
  } catch (const std::bad_alloc&) {
    return -1;
  }
}

const char* gm_assemble(gm_page* page, const uint8_t* keep, int32_t format, size_t* size) {
  try {
    page->assembled = assemble(page->page, keep, format ? Format::PLAIN : Format::MARKDOWN);
    return view(page->assembled, size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

int32_t gm_class_statistics(const gm_page* page, const float* kept, uint16_t* slots, float* words, float* kept_words) {
  try {
    const Page& p = page->page;
    std::vector<float> mass(p.nodes.size(), 0.0f);
    for (std::size_t i = 0; i < p.blocks.size(); i++)
      mass[p.blocks[i].node] += kept[i] * static_cast<float>(p.blocks[i].words);
    for (std::size_t i = p.nodes.size() - 1; i > 0; i--) mass[p.nodes[i].parent] += mass[i];
    std::vector<int32_t> place(CLASS_TABLE_SIZE, -1);
    int32_t count = 0;
    for (std::size_t i = 0; i < p.nodes.size(); i++) {
      const Node& node = p.nodes[i];
      if (!node.words) continue;
      for (u32 k = 0; k < node.tokens; k++) {
        const u16 slot = p.tokens[node.first_token + k];
        int32_t& at = place[slot];
        if (at < 0) {
          at = count++;
          slots[at] = slot;
          words[at] = kept_words[at] = 0;
        }
        words[at] += static_cast<float>(node.words);
        kept_words[at] += mass[i];
      }
    }
    return count;
  } catch (const std::bad_alloc&) {
    return -1;
  }
}

int32_t gm_use_instructions(int32_t most) {
  return static_cast<int32_t>(use_instructions(static_cast<Instructions>(most)));
}

gm_model* gm_model_read(const uint8_t* file, size_t size, const char** wrong) {
  gm_model* model = nullptr;
  try {
    model = new gm_model;
    *wrong = model->model.read({file, size});
    if (!*wrong) return model;
  } catch (const std::bad_alloc&) {
    *wrong = "there is no memory for it";
  }
  delete model;
  return nullptr;
}

void gm_model_free(gm_model* model) { delete model; }

int32_t gm_probabilities(const gm_model* model, const gm_page* page, float* first, float* second) {
  try {
    model->model.probabilities(page->page, first, second);
    return 0;
  } catch (const std::bad_alloc&) {
    return -1;
  }
}

int32_t gm_cut(const gm_page* page, const float* probabilities, uint8_t* keep) {
  try {
    cut(page->page, probabilities, keep);
    return 0;
  } catch (const std::bad_alloc&) {
    return -1;
  }
}

const char* gm_extract(const gm_model* model, gm_page* page, int32_t format, size_t* size) {
  try {
    std::vector<float> first(page->page.blocks.size()), second(first.size());
    std::vector<u8> keep(first.size());
    model->model.probabilities(page->page, first.data(), second.data());
    cut(page->page, second.data(), keep.data());
    return gm_assemble(page, keep.data(), format, size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // extern "C"
