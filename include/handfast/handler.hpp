// Handler: what an application supplies. Any class with some of these members; leave out those it
// has no use for. They run to completion on the worker's thread and must not block or throw.
//
//   void on_open(Connection)                        ESTABLISHED, by accept or by connect
//   std::size_t on_data(Connection, Bytes)          in order; returns how many bytes it took. The
//                                                   view dies with the call, unless
//                                                   Connection::retain() keeps it. What is not
//                                                   taken stays, see resume_receive().
//   void on_urgent(Connection)                      the peer has marked text as urgent that is yet
//                                                   to be taken: Connection::urgent_bytes(). It is
//                                                   delivered in line. Called before on_data.
//   void on_writable(Connection)                    after a short send(): there is room again
//   void on_peer_finished(Connection)               the peer's FIN, after all its data was taken
//   void on_timer(Connection)                       set_timer() has run out
//   void on_closed(Connection, CloseReason)         the last event, once for every connection
//                                                   that on_open announced or connect() returned
//
// A callback runs before the ACK and output decision of its burst, so what it sends carries the
// ACK. It may call anything, abort() included; nothing calls it back from within itself.
//
// The listener and connect() take the handler's type, so each event costs one indirect call into
// code in which the handler's own functions can inline. For handlers chosen at run time, derive
// from DynamicHandler.
#pragma once

#include <cstddef>
#include <span>

#include "handfast/connection.hpp"

namespace handfast {

using Bytes = std::span<const std::byte>;

// One function per event, made from a handler's type. Not written by applications.
struct HandlerTable {
  void (*on_open)(void* handler, Connection);
  std::size_t (*on_data)(void* handler, Connection, Bytes);
  void (*on_writable)(void* handler, Connection);
  void (*on_peer_finished)(void* handler, Connection);
  void (*on_timer)(void* handler, Connection);
  void (*on_closed)(void* handler, Connection, CloseReason);
  void (*on_urgent)(void* handler, Connection);
};

// A handler without on_data takes and discards everything; one without on_peer_finished closes too.
template <class H>
inline constexpr HandlerTable kHandlerTable = {
    .on_open =
        [](void* handler, Connection c) {
          if constexpr (requires(H & h) { h.on_open(c); }) static_cast<H*>(handler)->on_open(c);
        },
    .on_data = [](void* handler, Connection c, Bytes data) -> std::size_t {
      if constexpr (requires(H & h) { h.on_data(c, data); }) {
        return static_cast<H*>(handler)->on_data(c, data);
      }
      return data.size();
    },
    .on_writable =
        [](void* handler, Connection c) {
          if constexpr (requires(H & h) { h.on_writable(c); }) {
            static_cast<H*>(handler)->on_writable(c);
          }
        },
    .on_peer_finished =
        [](void* handler, Connection c) {
          if constexpr (requires(H & h) { h.on_peer_finished(c); }) {
            static_cast<H*>(handler)->on_peer_finished(c);
          } else {
            (void)c.close();
          }
        },
    .on_timer =
        [](void* handler, Connection c) {
          if constexpr (requires(H & h) { h.on_timer(c); }) static_cast<H*>(handler)->on_timer(c);
        },
    .on_closed =
        [](void* handler, Connection c, CloseReason reason) {
          if constexpr (requires(H & h) { h.on_closed(c, reason); }) {
            static_cast<H*>(handler)->on_closed(c, reason);
          }
        },
    .on_urgent =
        [](void* handler, Connection c) {
          if constexpr (requires(H & h) { h.on_urgent(c); }) static_cast<H*>(handler)->on_urgent(c);
        },
};

// The type-erased handler, for mixed use: each event is a virtual call.
class DynamicHandler {
 public:
  DynamicHandler() = default;
  DynamicHandler(const DynamicHandler&) = delete;
  DynamicHandler& operator=(const DynamicHandler&) = delete;
  virtual ~DynamicHandler() = default;

  virtual void on_open(Connection) {}
  virtual std::size_t on_data(Connection, Bytes data) { return data.size(); }
  virtual void on_writable(Connection) {}
  virtual void on_peer_finished(Connection connection) { (void)connection.close(); }
  virtual void on_timer(Connection) {}
  virtual void on_closed(Connection, CloseReason) {}
  virtual void on_urgent(Connection) {}
};

}  // namespace handfast
