// apache_avro_peer - Rust's apache-avro on prepared packets, schema cached.
//
// usage: apache_avro_peer OUT ROUNDS. Prints {"cached": us, "reader": us},
// medians per packet; `reader` parses the container with its schema, and is
// there only where the packets are containers.

use apache_avro::{from_avro_datum, Reader, Schema};
use std::time::Instant;
use std::{env, fs};

fn median(rounds: usize, n: usize, mut call: impl FnMut(usize)) -> f64 {
    let mut times = Vec::new();
    for turn in 0..=rounds {
        for i in 0..n {
            let start = Instant::now();
            call(i);
            if turn > 0 {
                times.push(start.elapsed().as_nanos() as f64 / 1e3);
            }
        }
    }
    times.sort_by(|a, b| a.partial_cmp(b).unwrap());
    times[times.len() / 2]
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let (out, rounds) = (&args[1], args[2].parse::<usize>().unwrap());
    let mut schemas = Vec::new();
    while let Ok(text) = fs::read_to_string(format!("{}/{:03}.avsc", out, schemas.len())) {
        schemas.push(Schema::parse_str(&text).unwrap());
    }
    let packets = fs::read(format!("{}/packets.bin", out)).unwrap();
    let index = fs::read_to_string(format!("{}/index.txt", out)).unwrap();
    let mut datums = Vec::new();
    let mut files = Vec::new();
    for line in index.lines() {
        let mut words = line.splitn(4, ' ');
        let mut number = || words.next().unwrap().parse::<usize>().unwrap();
        let (schema, offset, size) = (number(), number(), number());
        datums.push((&schemas[schema], &packets[offset..offset + size]));
        let data = fs::read(words.next().unwrap()).unwrap();
        if data.starts_with(b"Obj\x01") {
            files.push(data);
        }
    }
    let cached = median(rounds, datums.len(), |i| {
        let (schema, mut data) = datums[i];
        std::hint::black_box(from_avro_datum(schema, &mut data, None).unwrap());
    });
    if files.is_empty() {
        println!("{{\"cached\": {:.3}}}", cached);
        return;
    }
    let whole = median(rounds, files.len(), |i| {
        for value in Reader::new(&files[i][..]).unwrap() {
            std::hint::black_box(value.unwrap());
        }
    });
    println!("{{\"cached\": {:.3}, \"reader\": {:.3}}}", cached, whole);
}
