// Bytes and characters: classes, folding, hashes. Everything here works on UTF-8 and looks at one character.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace gristmill {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// A run of bytes in somebody else's memory.
struct Span {
  const u8* data = nullptr;
  std::size_t size = 0;
  const u8* begin() const { return data; }
  const u8* end() const { return data + size; }
  bool empty() const { return size == 0; }
};

enum ByteClass : u8 {
  BYTE_SPACE = 1,    // HTML's white space: tab, line feed, form feed, carriage return, space
  BYTE_WORD = 2,     // ASCII letters, digits and the underscore
  BYTE_UPPER = 4,
  BYTE_DIGIT = 8,
  BYTE_LETTER = 16,  // ASCII letters
  BYTE_CONTROL = 32, // control characters that no text wants
};

constexpr std::array<u8, 256> byte_classes() {
  std::array<u8, 256> classes{};
  for (int c = 0; c < 256; c++) {
    u8 k = 0;
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f') k |= BYTE_SPACE;
    else if (c < 32 || c == 127) k |= BYTE_CONTROL;
    if (c >= '0' && c <= '9') k |= BYTE_WORD | BYTE_DIGIT;
    if (c >= 'A' && c <= 'Z') k |= BYTE_WORD | BYTE_LETTER | BYTE_UPPER;
    if (c >= 'a' && c <= 'z') k |= BYTE_WORD | BYTE_LETTER;
    if (c == '_') k |= BYTE_WORD;
    classes[c] = k;
  }
  return classes;
}
inline constexpr std::array<u8, 256> CLASS = byte_classes();

inline bool is_space(u8 c) { return CLASS[c] & BYTE_SPACE; }
inline bool is_letter(u8 c) { return CLASS[c] & BYTE_LETTER; }
inline bool is_digit(u8 c) { return CLASS[c] & BYTE_DIGIT; }
inline u8 lower(u8 c) { return CLASS[c] & BYTE_UPPER ? c | 32 : c; }

// ASCII case-insensitive comparison; `word` is lower case.
inline bool equals(Span text, const char* word) {
  std::size_t i = 0;
  for (; i < text.size && word[i]; i++)
    if (lower(text.data[i]) != static_cast<u8>(word[i])) return false;
  return i == text.size && !word[i];
}

// Whether `word` (lower case) occurs in `text`, in any case.
inline bool contains(Span text, const char* word) {
  const std::size_t length = std::strlen(word);
  for (std::size_t i = 0; i + length <= text.size; i++) {
    std::size_t j = 0;
    while (j < length && lower(text.data[i + j]) == static_cast<u8>(word[j])) j++;
    if (j == length) return true;
  }
  return false;
}

inline bool starts_with(Span text, const char* word) {
  const std::size_t length = std::strlen(word);
  return text.size >= length && equals({text.data, length}, word);
}

// The first occurrence of `needle` at or after `from`, or `end`.
inline const u8* find(const u8* from, const u8* end, const char* needle, std::size_t length) {
  while (static_cast<std::size_t>(end - from) >= length) {
    const void* hit = std::memchr(from, needle[0], end - from - length + 1);
    if (!hit) return end;
    from = static_cast<const u8*>(hit);
    if (!std::memcmp(from, needle, length)) return from;
    from++;
  }
  return end;
}

// FNV-1a, 32 bits.
inline constexpr u32 HASH_START = 2166136261u;
inline u32 hash_byte(u32 hash, u8 c) { return (hash ^ c) * 16777619u; }
inline u32 hash_bytes(u32 hash, Span text) {
  for (u8 c : text) hash = hash_byte(hash, lower(c));
  return hash;
}
// Spreads a hash over `bits` bits (Knuth's multiplicative method).
inline u32 spread(u32 hash, int bits) { return (hash * 2654435761u) >> (32 - bits); }

enum CharacterKind : u8 {
  KIND_LETTER,       // letters, digits, marks: what words are made of
  KIND_UPPER,        // an upper-case letter
  KIND_SPACE,
  KIND_NOTHING,      // invisible: soft hyphen, zero-width space, byte order mark, private use
  KIND_PUNCTUATION,  // whatever ends a word and is kept
  KIND_COMMA,
  KIND_STOP,         // the end of a sentence
  KIND_CLOSE,        // closing quotes, which may follow the end of a sentence
  KIND_IDEOGRAPH,    // written without spaces: Chinese characters and kana
  KIND_SYLLABLE,     // written without spaces: Thai, Lao, Burmese, Khmer
};

// The kind of a character beyond ASCII.
CharacterKind kind_of(u32 code_point);
// A letter in lower case, for comparing words: Latin, Greek and Cyrillic; others stay as they are.
u32 fold(u32 code_point);

// One character of UTF-8. Malformed sequences are one byte long and have the code point U+FFFD.
struct Decoded {
  u32 code_point;
  u32 length;
};
inline Decoded decode(const u8* p, const u8* end) {
  const u8 c = p[0];
  const std::ptrdiff_t left = end - p;
  auto next = [p](int i) { return (p[i] & 0xC0) == 0x80; };
  if (c < 0x80) return {c, 1};
  if (c >= 0xC2 && c < 0xE0 && left > 1 && next(1)) return {(c & 0x1Fu) << 6 | (p[1] & 0x3Fu), 2};
  if (c >= 0xE0 && c < 0xF0 && left > 2 && next(1) && next(2)) {
    const u32 code = (c & 0xFu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    if (code >= 0x800 && (code < 0xD800 || code > 0xDFFF)) return {code, 3};
  }
  if (c >= 0xF0 && c < 0xF5 && left > 3 && next(1) && next(2) && next(3)) {
    const u32 code = (c & 7u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    if (code >= 0x10000 && code <= 0x10FFFF) return {code, 4};
  }
  return {0xFFFD, 1};
}
// Writes one character as UTF-8; returns its length in bytes (1 to 4).
inline int encode(u32 code, u8* out) {
  if (code < 0x80) return out[0] = static_cast<u8>(code), 1;
  if (code < 0x800) {
    out[0] = static_cast<u8>(0xC0 | code >> 6);
    out[1] = static_cast<u8>(0x80 | (code & 0x3F));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = static_cast<u8>(0xE0 | code >> 12);
    out[1] = static_cast<u8>(0x80 | (code >> 6 & 0x3F));
    out[2] = static_cast<u8>(0x80 | (code & 0x3F));
    return 3;
  }
  out[0] = static_cast<u8>(0xF0 | code >> 18);
  out[1] = static_cast<u8>(0x80 | (code >> 12 & 0x3F));
  out[2] = static_cast<u8>(0x80 | (code >> 6 & 0x3F));
  out[3] = static_cast<u8>(0x80 | (code & 0x3F));
  return 4;
}

}  // namespace gristmill
