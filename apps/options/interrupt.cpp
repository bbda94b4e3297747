#include "apps/options/interrupt.hpp"

#include <atomic>
#include <csignal>

namespace handfast::apps {
namespace {

std::atomic<int> g_signals{0};
std::atomic<Runtime*> g_runtime{nullptr};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<Runtime*>::is_always_lock_free);

// Only what POSIX calls async-signal-safe.
void on_signal(int) {
  if (g_signals.fetch_add(1) == 0) return;
  if (Runtime* const runtime = g_runtime.load(); runtime != nullptr) runtime->request_stop();
}

void set_handler(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt(Runtime& runtime) {
  g_runtime.store(&runtime);
  set_handler(on_signal);
}

Interrupt::~Interrupt() {
  set_handler(SIG_DFL);
  g_runtime.store(nullptr);
}

bool Interrupt::asked() const {
  return g_signals.load() > 0;
}
bool Interrupt::asked_again() const {
  return g_signals.load() > 1;
}

}  // namespace handfast::apps
