// Columns of features: named and filled by the same code.
#pragma once
#include <string>
#include <vector>

namespace gristmill {

// Collects the names.
struct ColumnNames {
  std::vector<std::string> names;
  std::string prefix;
  void operator()(const char* name, float) { names.push_back(prefix + name); }
  void under(const char* group, int number) { prefix = group + std::to_string(number) + "."; }
  void under(const char* group) { prefix = *group ? std::string(group) + "." : ""; }
};

// Writes the values of a row, `step` floats apart.
struct ColumnValues {
  float* out;
  std::size_t step;
  void operator()(const char*, float value) {
    *out = value;
    out += step;
  }
  void under(const char*, int) {}
  void under(const char*) {}
};

}  // namespace gristmill
