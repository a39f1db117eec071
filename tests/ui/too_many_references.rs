macro_rules! times {
    ([$($body:tt)*]) => { opstitch::uops! { op Bad(out: exit) { ; cbz x1, =>out $($body)* } } };
    ([$($body:tt)*] 2 $($more:tt)*) => { times! { [$($body)* $($body)*] $($more)* } };
    ([$($body:tt)*] 5 $($more:tt)*) => {
        times! { [$($body)* $($body)* $($body)* $($body)* $($body)*] $($more)* }
    };
}

times! { [; cbz x0, =>out] 2 5 5 5 }

fn main() {}
