// Chosen blocks to text, with the structure of the page: Markdown, or plain.
#pragma once
#include "page.hpp"

namespace gristmill {

enum class Format : int { MARKDOWN = 0, PLAIN = 1 };

// `keep` has one byte a block, not 0 for those to keep. Headings, lists with their nesting and numbers, quotes,
// tables and code keep their form; text is not escaped, so that formulas stay as they are.
std::string assemble(const Page& page, const u8* keep, Format format);

}  // namespace gristmill
