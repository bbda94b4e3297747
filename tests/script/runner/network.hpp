// A network namespace of this process's own with one TUN interface, whose other side the runner
// reads and writes. Needs root. The namespace goes when the process does.
#pragma once

#include <sys/socket.h>

#include <expected>
#include <string>

#include "tests/script/language/script.hpp"

namespace handfast::script {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};
SocketAddress socket_address(const Address& address, std::uint16_t port);

// Moves the calling process into a new namespace, makes the interface with the script's address
// and MTU, and sets what the script asks of the kernel. Returns the TUN's descriptor, which does
// not block. The error is one sentence.
std::expected<int, std::string> enter_network(const Script& script);

}  // namespace handfast::script
