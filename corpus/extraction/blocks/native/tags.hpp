// The elements of HTML, in groups: what a start tag closes, what an end tag may pass, what is shown how.
#pragma once
#include "bytes.hpp"

namespace gristmill {

// Order matters: the number is a feature of the model, so that neighbours here are related.
enum Tag : u8 {
  TAG_UNKNOWN,
  TAG_HTML, TAG_HEAD, TAG_BODY, TAG_DIV, TAG_P,
  TAG_H1, TAG_H2, TAG_H3, TAG_H4, TAG_H5, TAG_H6,
  TAG_UL, TAG_OL, TAG_LI, TAG_DL, TAG_DT, TAG_DD,
  TAG_TABLE, TAG_TBODY, TAG_THEAD, TAG_TFOOT, TAG_TR, TAG_TD, TAG_TH, TAG_CAPTION,
  TAG_SECTION, TAG_ARTICLE, TAG_MAIN, TAG_NAV, TAG_HEADER, TAG_FOOTER, TAG_ASIDE, TAG_FORM, TAG_FIGURE,
  TAG_FIGCAPTION, TAG_BLOCKQUOTE, TAG_PRE, TAG_BUTTON, TAG_LABEL, TAG_SELECT, TAG_OPTION, TAG_TEXTAREA,
  TAG_DETAILS, TAG_SUMMARY, TAG_DIALOG, TAG_FIELDSET, TAG_ADDRESS, TAG_CENTER,
  TAG_A, TAG_SPAN, TAG_B, TAG_STRONG, TAG_I, TAG_EM, TAG_U, TAG_FONT, TAG_SMALL, TAG_CODE, TAG_SUP, TAG_SUB,
  TAG_TIME, TAG_ABBR, TAG_INLINE,
  TAG_BR, TAG_IMG, TAG_HR, TAG_INPUT, TAG_META, TAG_LINK, TAG_VOID,
  TAG_SCRIPT, TAG_STYLE, TAG_NOSCRIPT, TAG_TITLE, TAG_IFRAME, TAG_SVG, TAG_TEMPLATE, TAG_RAW, TAG_OBJECT,
  TAG_MEDIA, TAG_MATH, TAG_PLAINTEXT,
  TAG_COUNT
};

inline bool is_inline(Tag t) { return t >= TAG_A && t <= TAG_INLINE; }
inline bool is_void(Tag t) { return t >= TAG_BR && t <= TAG_VOID; }
inline bool is_heading(Tag t) { return t >= TAG_H1 && t <= TAG_H6; }
inline bool is_row_group(Tag t) { return t >= TAG_TBODY && t <= TAG_TFOOT; }
inline bool is_cell(Tag t) { return t == TAG_TD || t == TAG_TH; }
inline bool is_table_part(Tag t) { return t >= TAG_TABLE && t <= TAG_CAPTION; }
// Formatting elements, whose end tags reach across blocks (HTML standard 13.2.4.3).
inline bool is_formatting(Tag t) { return t == TAG_A || (t >= TAG_B && t <= TAG_CODE); }
// What an end tag or an implied one does not look beyond: "has an element in scope".
inline bool is_scope(Tag t) {
  return is_cell(t) || t == TAG_TABLE || t == TAG_CAPTION || t == TAG_HTML || t == TAG_BODY || t == TAG_TEMPLATE;
}

Tag tag_of(Span name);
const char* tag_name(Tag tag);
// Start tags that cannot be inside SVG or MathML: they end it (HTML standard 13.2.6.5).
bool breaks_out(Tag tag);

}  // namespace gristmill
