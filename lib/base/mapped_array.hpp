// MappedArray: a fixed array of zeroed records in address space of its own. Reserved whole at
// start, given memory page by page as it is touched, or at once by populate(); large ones ask for
// 2 MiB pages.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "base/assert.hpp"

namespace handfast::base {

// All-zero bytes must be a valid T, and nothing may need destroying.
template <class T>
class MappedArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  MappedArray() = default;
  MappedArray(MappedArray&& other) noexcept { *this = std::move(other); }
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedArray() {
    if (data_ != nullptr) ::munmap(data_, size_ * sizeof(T));
  }

  // False when the system refuses. Once only.
  [[nodiscard]] bool reserve(std::size_t count) {
    HANDFAST_ASSERT(data_ == nullptr);
    if (count == 0) return true;
    const std::size_t bytes = count * sizeof(T);
    void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return false;
    if (bytes >= kHugeFrom) ::madvise(mapped, bytes, MADV_HUGEPAGE);  // only a hint
    data_ = static_cast<T*>(mapped);
    size_ = count;
    return true;
  }

  // Gives the first `count` records their memory now, so that no use of them waits for the kernel
  // to find and clear a page. False when there is not enough; a kernel that cannot (Linux
  // before 5.14) leaves them as they are.
  [[nodiscard]] bool populate(std::size_t count) {
    HANDFAST_ASSERT(count <= size_);
    if (count == 0) return true;
    return ::madvise(data_, count * sizeof(T), MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
  }

  T& operator[](std::size_t index) {
    HANDFAST_DEBUG_ASSERT(index < size_);
    return data_[index];
  }
  const T& operator[](std::size_t index) const {
    HANDFAST_DEBUG_ASSERT(index < size_);
    return data_[index];
  }
  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kHugeFrom = std::size_t{4} << 20;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace handfast::base
