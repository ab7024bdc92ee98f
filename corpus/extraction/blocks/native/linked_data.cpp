#include "linked_data.hpp"

namespace gristmill {
namespace {

constexpr std::size_t KEPT_BYTES = 4'000'000;

const u8* skip_spaces(const u8* p, const u8* end) {
  while (p < end && is_space(*p)) p++;
  return p;
}

}  // namespace

void read_linked_data(Span source, Page& page) {
  static constexpr char TYPE[] = "\"@type\"";
  static constexpr char BODY[] = "\"articleBody\"";
  const u8* const end = source.end();
  for (const u8* p = source.begin(); (p = find(p, end, TYPE, sizeof TYPE - 1)) < end;) {
    p = skip_spaces(p + sizeof TYPE - 1, end);
    if (p == end || *p != ':') continue;
    p = skip_spaces(p + 1, end);
    const bool list = p < end && *p == '[';
    if (list) p = skip_spaces(p + 1, end);
    while (p < end && *p == '"') {
      const u8* name = ++p;
      while (p < end && *p != '"') p++;
      Span type{name, static_cast<std::size_t>(p - name)};
      for (const char* scheme : {"http://schema.org/", "https://schema.org/", "schema:"})
        if (starts_with(type, scheme)) type = {type.data + std::strlen(scheme), type.size - std::strlen(scheme)};
      for (int i = 0; i < LINKED_TYPE_COUNT; i++)
        if (equals(type, LINKED_TYPES[i])) page.linked_types |= 1u << i;
      p = skip_spaces(p < end ? p + 1 : end, end);
      if (!list || p == end || *p != ',') break;
      p = skip_spaces(p + 1, end);
    }
  }
  if (find(source.begin(), end, BODY, sizeof BODY - 1) < end && page.linked_data.size() + source.size < KEPT_BYTES) {
    page.linked_data.append(reinterpret_cast<const char*>(source.data), source.size);
    page.linked_data += '\0';
  }
}

}  // namespace gristmill
