use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

/// Black on white, which every scanner reads, whatever the colours of the terminal.
const BLACK_ON_WHITE: &str = "\x1b[30;107m";
const AS_BEFORE: &str = "\x1b[0m";

/// Draws a QR code of half blocks; `None` when no code holds as much.
///
/// Without colours what is light is drawn, for a terminal that is dark.
pub(crate) fn draw(text: &str, has_colours: bool) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let mut renderer = code.render::<Dense1x2>();
    if !has_colours {
        renderer
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark);
    }
    let drawn = renderer.build();
    let lines = drawn.lines().map(|line| {
        if has_colours {
            format!("{BLACK_ON_WHITE}{line}{AS_BEFORE}\n")
        } else {
            format!("{line}\n")
        }
    });
    Some(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of the code that was drawn, as another program reads it.
    fn scan(drawn: &str, is_light_drawn: bool) -> String {
        let half = |character: char| match character {
            ' ' => (false, false),
            '▀' => (true, false),
            '▄' => (false, true),
            '█' => (true, true),
            other => panic!("{other:?} is no half block"),
        };
        let rows = drawn.lines().flat_map(|line| {
            let halves: Vec<_> = line.chars().map(half).collect();
            let upper = halves.iter().map(|it| it.0).collect::<Vec<_>>();
            [upper, halves.iter().map(|it| it.1).collect()]
        });
        let rows: Vec<_> = rows.collect();
        // Four pixels a module.
        let pixel = |x: usize, y: usize| {
            if rows[y / 4][x / 4] == is_light_drawn {
                255
            } else {
                0
            }
        };
        let (width, height) = (rows[0].len() * 4, rows.len() * 4);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, pixel);
        let found = image.detect_grids();
        assert_eq!(found.len(), 1);
        found[0].decode().unwrap().1
    }

    #[test]
    fn another_program_reads_what_is_drawn_with_colours_or_without() {
        for text in ["LIGHTNING:LNBCRT50U1".to_owned(), "LNBC".repeat(180)] {
            let plain = draw(&text, false).unwrap();
            assert_eq!(scan(&plain, true), text);
            let coloured = draw(&text, true).unwrap();
            let bare = coloured.replace(BLACK_ON_WHITE, "").replace(AS_BEFORE, "");
            assert_eq!(scan(&bare, false), text);
            assert_eq!(coloured.matches(AS_BEFORE).count(), bare.lines().count());
        }
    }

    #[test]
    fn more_than_a_code_holds_is_not_drawn() {
        assert_eq!(draw(&"x".repeat(3_000), true), None);
    }
}
