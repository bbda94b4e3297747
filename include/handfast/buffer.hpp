// Buffer: one of a worker's packets, in a handler's hands. What is written into it, or arrived in
// it, leaves with Connection::send(Buffer) from where it lies. It comes from
// Worker::allocate_buffer() or, inside on_data, from Connection::retain(). It belongs to the
// thread of its worker and must not outlive it. Packets are few: the worker receives and sends with
// the same ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace handfast {

namespace stack {
class Stack;
}

class Buffer {
 public:
  // Holds nothing; neither does one that was moved from or sent.
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    swap(taken);
    return *this;
  }
  // Gives the packet back to its worker.
  ~Buffer();

  bool is_valid() const { return stack_ != nullptr; }
  std::span<std::byte> bytes() { return {text_, size_}; }
  std::span<const std::byte> bytes() const { return {text_, size_}; }
  std::size_t size() const { return size_; }
  // One that was allocated holds a full segment of Ethernet and more; a retained one its bytes.
  std::size_t capacity() const { return capacity_; }
  // From 0 to capacity(), which is taken for more. Bytes that it adds may have any value.
  void resize(std::size_t size) {
    size_ = static_cast<std::uint32_t>(size < capacity_ ? size : capacity_);
  }

 private:
  friend class stack::Stack;
  Buffer(stack::Stack& stack, void* packet, std::byte* packet_data, std::byte* text,
         std::uint32_t size, std::uint32_t capacity)
      : stack_(&stack),
        packet_(packet),
        packet_data_(packet_data),
        text_(text),
        size_(size),
        capacity_(capacity) {}
  void swap(Buffer& other) noexcept {
    std::swap(stack_, other.stack_);
    std::swap(packet_, other.packet_);
    std::swap(packet_data_, other.packet_data_);
    std::swap(text_, other.text_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  stack::Stack* stack_ = nullptr;  // null: it holds nothing
  void* packet_ = nullptr;
  std::byte* packet_data_ = nullptr;
  std::byte* text_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace handfast
