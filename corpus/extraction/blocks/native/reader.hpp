// Numbers from a file's bytes, little-endian, never beyond their end.
#pragma once
#include "bytes.hpp"

namespace gristmill {

class Reader {
 public:
  explicit Reader(Span bytes) : bytes_(bytes) {}
  template <class T>
  T take() {
    T value{};
    if (bytes_.size - taken_ < sizeof value) good_ = false;
    if (!good_) return value;
    std::memcpy(&value, bytes_.data + taken_, sizeof value);
    taken_ += sizeof value;
    return value;
  }
  void skip(std::size_t size) {
    if (bytes_.size - taken_ < size) good_ = false;
    else taken_ += size;
  }
  // False once more was asked for than there is.
  bool good() const { return good_; }
  std::size_t taken() const { return taken_; }
  Span rest() const { return {bytes_.data + taken_, bytes_.size - taken_}; }

 private:
  Span bytes_;
  std::size_t taken_ = 0;
  bool good_ = true;
};

}  // namespace gristmill
