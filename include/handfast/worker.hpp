// Worker: one core's whole stack, as the application's code on that core sees it. Obtained from
// the runtime (Application callbacks, post()) or from Connection::worker(). All calls belong to
// the worker's own thread.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "handfast/config.hpp"
#include "handfast/connection.hpp"
#include "handfast/counters.hpp"
#include "handfast/handler.hpp"
#include "handfast/stages.hpp"

namespace handfast {

struct ConnectOptions {
  // The source address; without one, the interface's first address of the remote's family. Must be
  // one of the interface's (MUST-43, MUST-44).
  std::optional<Address> source;
  std::uint16_t source_port = 0;  // 0: the stack chooses one whose answers reach this worker
  std::uint64_t context = 0;      // first value of Connection::context()
  ConnectionOptions connection;
  // With StackConfig::fast_open: what send() is given right after connect() goes along with the SYN
  // if the server's cookie is known, and otherwise the SYN asks for one (RFC 7413). Only for
  // requests that may arrive twice.
  bool fast_open = false;
};

// How many connections are in each of RFC 9293's states on one worker. `state_counts[i]` is that of
// static_cast<State>(i); LISTEN counts listeners, CLOSED is always 0.
using StateCounts = std::array<std::uint64_t, kStateCount>;

class Worker {
 public:
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Accepts connections to `local`; an unspecified address means every address of ours. `handler`
  // is borrowed until the worker stops. `address_in_use`: the same endpoint is listened on already.
  // `not_our_address`, `invalid_address`, `too_many_listeners`, `too_many_handlers`,
  // `invalid_option`. `options` are those of every connection it accepts. RFC 9293 section 3.10.1.
  template <class H>
  std::expected<void, Error> listen(const Endpoint& local, H& handler,
                                    const ConnectionOptions& options = {}) {
    return listen(local, &handler, kHandlerTable<H>, options);
  }

  // Stops accepting on `local`; connections already accepted live on.
  void stop_listening(const Endpoint& local);

  // Opens a connection; its SYN leaves at the end of the burst. `handler` is borrowed until its
  // on_closed. Never calls the handler before returning. `no_connection_slot`: too many are open,
  // try again after a close. `no_free_port`: try another source, or after 2MSL. `no_route`,
  // `invalid_address`, `not_our_address`, `address_in_use` (an explicit source_port),
  // `invalid_option`, `too_many_handlers`, `wrong_state` (the worker is stopping). Cost: one
  // flow-table lookup per port tried. RFC 9293 section 3.10.1.
  template <class H>
  std::expected<Connection, Error> connect(const Endpoint& remote, H& handler,
                                           const ConnectOptions& options = {}) {
    return connect(remote, &handler, kHandlerTable<H>, options);
  }

  // An empty buffer to be filled and sent. `no_packet_buffer`: too many packets are in use.
  std::expected<Buffer, Error> allocate_buffer();

  // The time of the current burst: the same throughout one callback.
  Instant now() const;
  unsigned id() const;
  // Of the stack: those that the port itself counts are in Runtime::counters() only.
  Counters counters() const;
  // Where the time of this worker's polls went; nothing unless built to measure it.
  StageTimes stage_times() const;
  // Walks all records: for reports, not for the data path.
  StateCounts state_counts() const;
  // Open connections (SYN-SENT to LAST-ACK), half-open ones and TIME-WAIT records now. O(1).
  std::uint64_t open_count() const;
  std::uint64_t half_open_count() const;
  std::uint64_t time_wait_count() const;
  // Whether frames that have arrived, or that are to leave, had to wait when the last turn ended:
  // more is offered than this worker, or the link behind it, can do. Who opens connections at a
  // rate of its own does best to finish those that it has first. O(1).
  bool is_behind() const;
  // The live connection behind `previous`, in the order of their records, or one that names none
  // behind the last: from Connection{} on, a walk past all, whoever handles them, that needs no
  // list. `previous` may have ended meanwhile; of those that begin during the walk some are missed.
  // Cost: the records in between.
  Connection next_connection(const Connection& previous) const;
  // Addresses of the configuration that were given up, because another host has them (RFC 4862);
  // their connections have ended as unreachable. Only with InterfaceConfig::duplicate_detection.
  std::span<const Address> duplicate_addresses() const;
  // Bytes of the tables that open and half-open connections live in. Of records, of what is kept
  // while data is on the way and of timers as many as were ever used; the flow table (TIME-WAIT's
  // share included) whole. O(1).
  std::uint64_t connection_table_bytes() const;

 private:
  friend class stack::Stack;
  explicit Worker(stack::Stack& stack) : stack_(&stack) {}

  std::expected<void, Error> listen(const Endpoint& local, void* handler, const HandlerTable& table,
                                    const ConnectionOptions& options);
  std::expected<Connection, Error> connect(const Endpoint& remote, void* handler,
                                           const HandlerTable& table,
                                           const ConnectOptions& options);
  stack::Stack* stack_;
};

}  // namespace handfast
