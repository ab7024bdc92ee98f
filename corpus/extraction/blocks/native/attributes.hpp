// What a start tag says of an element: its flags, what its classes are called, how it is shown.
#pragma once
#include "page.hpp"
#include "tokenizer.hpp"

namespace gristmill {

// Fills an element's node, which has what it inherits already, from its tag and its attributes, which are those of
// the tokenizer's last start tag. Adds its class names to Page::tokens and counts it in the page's totals.
void describe(Tag tag, const Tokenizer& attributes, Node& node, Page& page);

// Whether an attribute hides its element: `hidden`, `aria-hidden=true`, `style="display: none"`.
bool hides(const Attribute& attribute);
// Whether a list of classes has this one, in any case. `name` is lower case.
bool has_class(Span classes, const char* name);
// The programming language that a class names ("language-python", "lang-py", "highlight-source-python"), or "".
std::string language_of(Span classes);
// An integer as HTML reads it: leading digits count.
int to_number(Span text, int otherwise);

}  // namespace gristmill
