#include "bytes.hpp"

namespace gristmill {

CharacterKind kind_of(u32 c) {
  if (c < 0xC0) {  // Latin-1's signs; ª ² ³ µ ¹ º ¼ ½ ¾ count as letters, as in Python's \w
    if (c == 0xA0 || c == 0x85) return KIND_SPACE;
    if (c < 0xA0) return KIND_PUNCTUATION;  // what Windows-1252 read as Latin-1 leaves: no letters
    if (c == 0xAD) return KIND_NOTHING;
    if (c == 0xBB) return KIND_CLOSE;
    const bool letter = c == 0xAA || c == 0xB2 || c == 0xB3 || c == 0xB5 || c == 0xB9 || c == 0xBA || c == 0xBC ||
                        c == 0xBD || c == 0xBE;
    return letter ? KIND_LETTER : KIND_PUNCTUATION;
  }
  if (c < 0x590) {
    if (c == 0xD7 || c == 0xF7) return KIND_PUNCTUATION;
    if (c == 0x37E) return KIND_STOP;  // the Greek question mark
    return fold(c) != c ? KIND_UPPER : KIND_LETTER;
  }
  if (c < 0x2000) {
    if (c == 0x60C) return KIND_COMMA;                                        // Arabic
    if (c == 0x61F || c == 0x6D4 || c == 0x964 || c == 0x965) return KIND_STOP;  // Arabic, Urdu, Devanagari
    if (c == 0x61B || c == 0x5BE || c == 0x5C3) return KIND_PUNCTUATION;
    if ((c >= 0xE00 && c <= 0xEFF) || (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF)) {
      return c == 0xE3F ? KIND_PUNCTUATION : KIND_SYLLABLE;
    }
    if (c == 0x1680 || c == 0x180E) return KIND_SPACE;
    return KIND_LETTER;
  }
  if (c < 0x2070) {  // general punctuation
    if (c <= 0x200A || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F) return KIND_SPACE;
    if (c == 0x200C || c == 0x200D) return KIND_LETTER;  // joiners: part of the words of Persian and Hindi
    if (c == 0x200B || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || c >= 0x2060) return KIND_NOTHING;
    if (c == 0x2019 || c == 0x201D || c == 0x203A) return KIND_CLOSE;
    if (c == 0x2026) return KIND_STOP;
    return KIND_PUNCTUATION;
  }
  if (c < 0x20A0) return KIND_LETTER;                     // superscripts, subscripts
  if (c < 0x2100) return KIND_PUNCTUATION;                // currencies, enclosing marks
  if (c == 0x2122 || c == 0x2120) return KIND_PUNCTUATION;  // trademark, service mark
  if (c < 0x2190) return KIND_LETTER;                     // letter-like symbols, number forms
  if (c >= 0x2460 && c < 0x2500) return KIND_LETTER;      // enclosed numbers
  if (c < 0x2C00) return KIND_PUNCTUATION;                // arrows, mathematics, shapes, dingbats
  if (c < 0x3000) return c >= 0x2E80 ? KIND_IDEOGRAPH : KIND_LETTER;
  if (c < 0x3040) {
    if (c == 0x3000) return KIND_SPACE;
    if (c == 0x3001) return KIND_COMMA;
    if (c == 0x3002) return KIND_STOP;
    if (c == 0x300D || c == 0x300F || c == 0x3011) return KIND_CLOSE;
    return c >= 0x3005 && c <= 0x3007 ? KIND_IDEOGRAPH : KIND_PUNCTUATION;
  }
  if (c < 0x3130) return c == 0x30FB ? KIND_PUNCTUATION : KIND_IDEOGRAPH;
  if (c < 0x3190) return KIND_LETTER;  // Hangul letters
  if (c < 0xA000) return KIND_IDEOGRAPH;
  if (c < 0xE000) return KIND_LETTER;  // Hangul syllables among others: written with spaces
  if (c < 0xF900) return KIND_NOTHING;  // private use: the glyphs of icon fonts
  if (c < 0xFB00) return KIND_IDEOGRAPH;
  if (c < 0xFE00) return KIND_LETTER;
  if (c < 0xFE10) return KIND_NOTHING;  // variation selectors
  if (c < 0xFE70) return KIND_PUNCTUATION;
  if (c == 0xFEFF) return KIND_NOTHING;
  if (c < 0xFF00) return KIND_LETTER;
  if (c < 0xFFF0) {  // full-width forms
    if (c == 0xFF0C) return KIND_COMMA;
    if (c == 0xFF01 || c == 0xFF0E || c == 0xFF1F || c == 0xFF61) return KIND_STOP;
    if (c == 0xFF09 || c == 0xFF63) return KIND_CLOSE;
    if (c < 0xFF10 || (c >= 0xFF1A && c <= 0xFF20) || (c >= 0xFF3B && c <= 0xFF40) || (c >= 0xFF5B && c < 0xFF66) ||
        c >= 0xFFE0) {
      return KIND_PUNCTUATION;
    }
    if (c >= 0xFF21 && c <= 0xFF3A) return KIND_UPPER;
    return c >= 0xFF66 && c < 0xFFA0 ? KIND_IDEOGRAPH : KIND_LETTER;
  }
  if (c < 0x10000) return c == 0xFFFD ? KIND_PUNCTUATION : KIND_NOTHING;
  if (c >= 0x1F000 && c < 0x20000) return KIND_PUNCTUATION;  // pictures
  if (c >= 0x20000 && c < 0x40000) return KIND_IDEOGRAPH;
  if (c >= 0xE0000) return KIND_NOTHING;  // tags, private use
  return KIND_LETTER;
}

u32 fold(u32 c) {
  if (c < 0xC0) return c;
  if (c < 0x100) return (c <= 0xDE && c != 0xD7) ? c + 32 : c;
  if (c < 0x180) {  // Latin Extended-A: capitals are even, from U+0139 and U+0179 on odd
    if (c == 0x130 || c == 0x131 || c == 0x138 || c == 0x149 || c == 0x17F) return c;
    if (c == 0x178) return 0xFF;
    const bool odd = (c >= 0x139 && c <= 0x148) || c >= 0x179;
    return (c & 1) == (odd ? 1u : 0u) ? c + 1 : c;
  }
  if (c >= 0x391 && c <= 0x3AB && c != 0x3A2) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x460 && c <= 0x481) return (c & 1) ? c : c + 1;
  if (c >= 0x48A && c <= 0x4BF) return (c & 1) ? c : c + 1;
  if (c >= 0x531 && c <= 0x556) return c + 48;
  return c;
}

}  // namespace gristmill
