// JSON-LD: which types of schema.org a page declares, and scripts that carry an article's text.
#pragma once
#include "page.hpp"

namespace gristmill {

// Adds a script's types to Page::linked_types; keeps the script where it has an "articleBody".
void read_linked_data(Span source, Page& page);

}  // namespace gristmill
