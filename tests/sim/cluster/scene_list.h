#pragma once

namespace hy::sim {

class Stage;

// One function a scene (scenes.h). Each leaves the world to come to rest by itself. False: the
// world has no place for it, and nothing was done.
bool play_storm(Stage& stage);
bool play_slow_receiver(Stage& stage);
bool play_logins(Stage& stage);
bool play_backups(Stage& stage);
bool play_warming(Stage& stage);
bool play_sleeper(Stage& stage);
bool play_dark_device(Stage& stage);
bool play_late_dump(Stage& stage);

}  // namespace hy::sim
