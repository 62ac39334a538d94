#include "cli/new_master_key.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

#include "base/crypto.hpp"
#include "base/encoding.hpp"
#include "base/random.hpp"
#include "cli/command.hpp"
#include "config/setting_values.hpp"
#include "store/data_directory.hpp"

namespace posthorn::cli {

namespace fs = std::filesystem;

namespace {
constexpr std::string_view unfinished_name = "master-key.next";

Secret key_of(const std::string& text, std::string_view source) {
    config::Settings settings;
    for (const auto& setting : config::all_settings())
        if (setting.name == "master_key" && config::store_text(setting, text, settings))
            return settings.master_key;
    throw CommandFailed(fmt::format("{} holds no master key: it must be {} bytes in base64 or hex", source,
                                    config::master_key_bytes),
                        "`openssl rand -base64 32` makes one.");
}

std::string first_line_of(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line)) throw CommandFailed(fmt::format("cannot read {}", path.string()));
    return line;
}

// Complete and on disk, or not there at all.
void write_key(const fs::path& path, const Secret& key) {
    const auto temporary = fs::path(path).concat(".writing");
    unlink(temporary.c_str());
    const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        throw std::system_error(errno, std::generic_category(), "cannot make " + temporary.string());
    const auto text = base64_encode(key.reveal()) + "\n";
    const bool written =
        write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(file) == 0;
    const int error = errno;
    close(file);
    if (!written)
        throw std::system_error(error, std::generic_category(), "cannot write " + temporary.string());
    fs::rename(temporary, path);
    store::sync_directory(path.parent_path());
}
}  // namespace

NewMasterKey::NewMasterKey(const std::string& text, std::optional<fs::path> data_dir) {
    if (!text.empty()) secret_ = key_of(text, "POSTHORN_NEW_MASTER_KEY");
    if (!data_dir) {
        if (text.empty())
            throw CommandFailed("there is no new master key",
                                "Give it with POSTHORN_NEW_MASTER_KEY; `openssl rand -base64 32` makes one.");
        return;
    }
    directory_ = *data_dir / "secrets";
    const auto unfinished = *directory_ / unfinished_name;
    if (fs::exists(unfinished)) {
        auto begun = key_of(first_line_of(unfinished), unfinished.string());
        if (!text.empty() && !equal_in_constant_time(begun.reveal(), secret_.reveal()))
            throw CommandFailed("an earlier re-keying, to another key than the given one, is not finished",
                                "Run it without POSTHORN_NEW_MASTER_KEY to finish it, then once more.");
        secret_ = std::move(begun);
        return;
    }
    if (text.empty()) secret_ = Secret(random_bytes(config::master_key_bytes));
    write_key(unfinished, secret_);
}

void NewMasterKey::put_in_place() const {
    if (!directory_) return;
    const auto current = *directory_ / "master-key", old = *directory_ / "master-key.old";
    write_key(old, key_of(first_line_of(current), current.string()));
    fs::rename(*directory_ / unfinished_name, current);
    store::sync_directory(*directory_);
}

}  // namespace posthorn::cli
