// Assembly: what the workers of a runtime stand on: packet pools, ports, captures, exchanges. Built
// after EAL and before the workers; taken apart in the reverse order after they ended, also when it
// was built only in part.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "drivers/capture/capture_device.hpp"
#include "drivers/ethdev/ethdev_port.hpp"
#include "handfast/runtime.hpp"
#include "runtime/clock.hpp"
#include "runtime/port_exchange.hpp"

namespace handfast::runtime {

class Assembly {
 public:
  Assembly() = default;
  Assembly(const Assembly&) = delete;
  Assembly& operator=(const Assembly&) = delete;
  ~Assembly();

  // Once; on an error the object is only good for destruction.
  std::expected<void, std::string> build(const RuntimeConfig& config, const TscClock& clock);

  // For worker `worker`, counted over all ports: the device to poll.
  base::Device& device(unsigned worker) { return *devices_[worker]; }
  // For the worker at `queue` of a port; null for a port of one worker.
  ExchangePlace* exchange(std::size_t port, unsigned queue);

 private:
  std::expected<void, std::string> make_pools(const RuntimeConfig& config);
  std::expected<void, std::string> open_ports(const RuntimeConfig& config);
  std::expected<void, std::string> open_capture(const RuntimeConfig& config, const TscClock& clock);
  void make_devices(const RuntimeConfig& config);

  // In the order in which each needs the one before it.
  std::vector<std::vector<std::unique_ptr<drivers::EthdevPool>>> pools_;  // of each port's workers
  std::vector<std::unique_ptr<drivers::EthdevPort>> ports_;
  std::vector<std::unique_ptr<PortExchange>> exchanges_;  // of each port
  std::shared_ptr<drivers::CaptureFile> capture_file_;
  std::vector<std::unique_ptr<drivers::CaptureDevice>> captures_;
  std::vector<base::Device*> devices_;  // of each worker
};

}  // namespace handfast::runtime
