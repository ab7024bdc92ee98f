#include "entities.hpp"

#include <vector>

namespace gristmill {
namespace {

struct Entry {
  const char* name;
  const char* text;
};
constexpr Entry ENTRIES[] = {
#include "entity_table.inc"
};
constexpr std::size_t LONGEST_NAME = 33;        // "CounterClockwiseContourIntegral;" and one
constexpr std::size_t LONGEST_WITHOUT_SEMICOLON = 6;

// Windows-1252 where numeric references name a control character (HTML standard 13.2.5.80).
constexpr u16 WINDOWS_1252[32] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                  0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                  0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                  0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

// A hash table of the names, filled once.
class Names {
 public:
  Names() : slots_(SIZE, nullptr) {
    for (const Entry& entry : ENTRIES) {
      u32 slot = place(reinterpret_cast<const u8*>(entry.name), std::strlen(entry.name));
      while (slots_[slot]) slot = (slot + 1) % SIZE;
      slots_[slot] = &entry;
    }
  }
  const Entry* find(const u8* name, std::size_t length) const {
    for (u32 slot = place(name, length); slots_[slot]; slot = (slot + 1) % SIZE) {
      const char* known = slots_[slot]->name;
      if (!std::strncmp(known, reinterpret_cast<const char*>(name), length) && !known[length]) return slots_[slot];
    }
    return nullptr;
  }

 private:
  static constexpr u32 SIZE = 8192;
  static u32 place(const u8* name, std::size_t length) {
    u32 hash = HASH_START;
    for (std::size_t i = 0; i < length; i++) hash = hash_byte(hash, name[i]);  // case matters: &eacute; &Eacute;
    return spread(hash, 13);
  }
  std::vector<const Entry*> slots_;
};

Reference number(const u8* p, const u8* end) {
  const u8* digit = p + 2;
  const bool hexadecimal = digit < end && (*digit | 32) == 'x';
  if (hexadecimal) digit++;
  const u8* first = digit;
  u32 code = 0;
  for (; digit < end; digit++) {
    const u8 c = *digit;
    u32 value;
    if (is_digit(c)) value = c - '0';
    else if (hexadecimal && (c | 32) >= 'a' && (c | 32) <= 'f') value = (c | 32) - 'a' + 10;
    else break;
    if (code <= 0x10FFFF) code = code * (hexadecimal ? 16 : 10) + value;
  }
  if (digit == first) return {{}, 0, 0};
  if (digit < end && *digit == ';') digit++;
  if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
  else if (code >= 0x80 && code < 0xA0) code = WINDOWS_1252[code - 0x80];
  Reference reference{};
  reference.size = static_cast<u32>(encode(code, reference.text));
  reference.length = static_cast<u32>(digit - p);
  return reference;
}

}  // namespace

Reference read_reference(const u8* p, const u8* end, bool in_attribute) {
  static const Names names;
  if (p + 1 >= end) return {{}, 0, 0};
  if (p[1] == '#') return number(p, end);
  const u8* name = p + 1;
  std::size_t length = 0;
  while (name + length < end && length < LONGEST_NAME && (CLASS[name[length]] & (BYTE_LETTER | BYTE_DIGIT))) length++;
  const Entry* found = nullptr;
  std::size_t taken = 0;
  if (name + length < end && name[length] == ';' && (found = names.find(name, length + 1))) taken = length + 1;
  if (!found) {
    taken = length < LONGEST_WITHOUT_SEMICOLON ? length : LONGEST_WITHOUT_SEMICOLON;
    for (; taken >= 2; taken--)
      if ((found = names.find(name, taken))) break;
    if (found && in_attribute && name + taken < end) {
      const u8 after = name[taken];
      if (after == '=' || (CLASS[after] & (BYTE_LETTER | BYTE_DIGIT))) found = nullptr;
    }
  }
  if (!found) return {{}, 0, 0};
  Reference reference{};
  reference.size = static_cast<u32>(std::strlen(found->text));
  std::memcpy(reference.text, found->text, reference.size);
  reference.length = static_cast<u32>(taken + 1);
  return reference;
}

}  // namespace gristmill
