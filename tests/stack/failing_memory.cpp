#include "tests/stack/failing_memory.hpp"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <new>

namespace handfast::test {

namespace {

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

std::atomic<std::size_t> first_to_fail{kNever};
std::atomic<bool> others_fail{false};
std::atomic<std::size_t> asked{0};

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (FailingMemory::refuses()) return nullptr;
  if (alignment <= alignof(std::max_align_t)) return std::malloc(bytes == 0 ? 1 : bytes);
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
  void* const memory = allocate(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

FailingMemory::FailingMemory(std::size_t first, Then then) {
  asked = 0;
  others_fail = then == Then::fails;
  first_to_fail = first;
}

FailingMemory::~FailingMemory() {
  first_to_fail = kNever;
}

bool FailingMemory::has_failed() const {
  return asked > first_to_fail;
}

bool FailingMemory::refuses() {
  const std::size_t first = first_to_fail.load();
  if (first == kNever) return false;
  const std::size_t number = asked.fetch_add(1);
  return number == first || (number > first && others_fail.load());
}

}  // namespace handfast::test

namespace test = handfast::test;

void* operator new(std::size_t bytes) {
  return test::allocate_or_throw(bytes, 1);
}
void* operator new[](std::size_t bytes) {
  return test::allocate_or_throw(bytes, 1);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return test::allocate_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return test::allocate(bytes, 1);
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return test::allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

extern "C" {
void* __real_mmap(void* at, std::size_t bytes, int protection, int flags, int file, off_t offset);
void* __wrap_mmap(void* at, std::size_t bytes, int protection, int flags, int file, off_t offset);

void* __wrap_mmap(void* at, std::size_t bytes, int protection, int flags, int file, off_t offset) {
  if (test::FailingMemory::refuses()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return __real_mmap(at, bytes, protection, flags, file, offset);
}
}
