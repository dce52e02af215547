//! The machine's time zone.

use jiff::tz::TimeZone;
use rooms::board::Calendar;

/// The IANA name of this machine's time zone, from `TZ` or the system. `UTC` if the zone has no name, or one that is not
/// in the built-in database.
pub fn machine_zone() -> String {
    let named = TimeZone::try_system().ok().and_then(|zone| zone.iana_name().map(str::to_owned));
    named.filter(|name| Calendar::new(name).is_some()).unwrap_or_else(|| "UTC".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The zone of a process with this `TZ`.
    fn with(tz: &str) -> String {
        const TEST: &str = "zone::tests::the_default_zone_is_that_of_the_system";
        let test = std::env::current_exe().unwrap();
        let mut child = std::process::Command::new(test);
        child.args([TEST, "--exact", "--nocapture"]).env("LUNCHROOM_TEST_ZONE", "1").env("TZ", tz);
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let zone = said.split_once("zone=").and_then(|(_, rest)| rest.split_once(';'));
        zone.unwrap_or_else(|| panic!("{tz}: {said}")).0.to_owned()
    }

    #[test]
    fn the_default_zone_is_that_of_the_system() {
        if std::env::var_os("LUNCHROOM_TEST_ZONE").is_some() {
            return println!("zone={};", machine_zone());
        }
        assert_eq!(with("Asia/Seoul"), "Asia/Seoul");
        assert_eq!(with(":Europe/Berlin"), "Europe/Berlin");
        assert_eq!(with("/usr/share/zoneinfo/America/New_York"), "America/New_York");
        for nameless in ["KST-9", "Nowhere/Land", ""] {
            assert_eq!(with(nameless), "UTC", "{nameless}");
        }
    }
}
