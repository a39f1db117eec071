opstitch::uops! {
    op Bad { ; mvo x0, x1 }
    op Worse(n: u12, m: u12) { ; adc x0, x0, x1 ; addd x0, x0, n ; sub x0, x0, m }
}

fn main() {}
