// How connections are ended, and how that looks to the end that does it.
#pragma once

#include "apps/load/options.hpp"
#include "handfast/connection.hpp"

namespace handfast::load {

// One that has ended already says so and is left alone: it had its on_closed.
inline void end(Connection connection, Closing closing) {
  if (closing == Closing::rst) {
    (void)connection.abort();
  } else {
    (void)connection.close();
  }
}

// What on_closed tells the end that did so.
inline CloseReason own_end_of(Closing closing) {
  return closing == Closing::rst ? CloseReason::aborted : CloseReason::finished;
}

}  // namespace handfast::load
