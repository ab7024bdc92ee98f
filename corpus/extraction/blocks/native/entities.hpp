// Character references: `&amp;`, `&#8217;`, `&#x2019;`, and what browsers make of broken ones.
#pragma once
#include "bytes.hpp"

namespace gristmill {

// What a reference stands for: one or two characters as UTF-8 (at most 8 bytes), and how many bytes of the
// source it takes, from the ampersand on. `length` is 0 where the ampersand is just an ampersand.
struct Reference {
  u8 text[8];
  u32 size;
  u32 length;
};

// Reads a reference at `p`, which points at an ampersand. In attributes a name without a semicolon that goes on
// with "=" or a letter is no reference (HTML standard 13.2.5.73), so that `?a=1&copy=2` stays what it is.
Reference read_reference(const u8* p, const u8* end, bool in_attribute);

}  // namespace gristmill
