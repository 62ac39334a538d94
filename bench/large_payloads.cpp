#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/random.hpp"
#include "bench/scenarios.hpp"
#include "bench/site.hpp"

namespace posthorn::bench {

namespace {
constexpr auto scenario = "large_payloads";
constexpr std::size_t mebibyte = 1024 * 1024, large_payload_bytes = 256 * 1024;
constexpr std::uint32_t applications = 100;
constexpr std::size_t connections = 32;
constexpr double most_messages_per_second = 8'000;  // 2 GiB/s
// PostgreSQL writes a payload to its log and to the table: the disk's speed is reached when the disk is busy.
constexpr Goal speed_of_disk{Goal::Sense::at_least, 80};
constexpr std::size_t file_mebibytes = 1'024;
constexpr std::chrono::seconds disk_limit{6};

// MiB a second, written one after the other to a new file and then synced.
double disk_rate(const std::filesystem::path& directory) {
    announce(scenario, "the disk");
    const TemporaryDirectory place(directory);
    const auto path = place.path() / "written";
    const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), "open");
    const auto block = random_bytes(mebibyte);
    const auto begin = now_ns();
    std::size_t written = 0;
    for (; written < file_mebibytes && now_ns() - begin < std::chrono::nanoseconds(disk_limit).count();
         ++written) {
        throw_if_interrupted();
        if (write(file.get(), block.data(), block.size()) != static_cast<ssize_t>(block.size()))
            fail_with_errno("write");
    }
    if (fsync(file.get()) != 0) fail_with_errno("fsync");
    return static_cast<double>(written) * 1e9 / static_cast<double>(now_ns() - begin);
}
}  // namespace

void run_large_payloads(Results& results) {
    const auto& plan = results.plan;
    const auto seconds =
        3 + static_cast<double>(plan.repetitions) * static_cast<double>(plan.seconds.count());
    Site::Options site_options;
    site_options.scenario = scenario;
    site_options.applications = applications;
    site_options.payload_bytes = large_payload_bytes;
    site_options.other_deliveries = static_cast<std::uint64_t>(seconds * most_messages_per_second);
    Site site(results, site_options);
    auto options = site.generator_options();
    options.connections = connections;
    for (auto& target : options.targets) target.path += "?with_content=false";
    Generator generator(options, site.ledger());
    const auto disk_before = disk_rate(plan.directory);
    site.warm_up_with(generator);
    const auto written_before = written_mib(plan.directory);
    const auto begin = now_ns();
    const auto all = site.measure_repeatedly(generator, {.duration = plan.seconds}, "closed loop");
    const auto elapsed = static_cast<double>(now_ns() - begin) / 1e9;
    const auto written = written_mib(plan.directory);
    site.finish();
    const auto disk = (disk_before + disk_rate(plan.directory)) / 2;
    const auto rate = median_throughput(all).delivered_per_second * large_payload_bytes / mebibyte;
    results.keep(scenario, "disk MiB/s before", disk_before);
    results.add(scenario, "the disk: written one after the other, synced", disk, "MiB/s");
    results.add(scenario, fmt::format("payloads of {} KiB, delivered", large_payload_bytes / 1024), rate,
                "MiB/s");
    results.add(scenario, "payloads, of the disk's rate", 100 * rate / disk, "%");
    if (!written || !written_before) return;
    const auto written_rate = (*written - *written_before) / elapsed;
    results.add(scenario, "written to the disk meanwhile", written_rate, "MiB/s");
    results.add(scenario, "written, of the disk's rate", 100 * written_rate / disk, "%", speed_of_disk);
}

}  // namespace posthorn::bench
