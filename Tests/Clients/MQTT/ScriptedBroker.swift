import Foundation
import Glibc
import Synchronization
import TestSupport

/// A broker that knows just enough MQTT 5 to be a bad one: listens on a free port of 127.0.0.1.
final class ScriptedBroker: Sendable {
    /// How it behaves.
    struct Script {
        /// The reason code of a CONNACK; nil: never answers.
        var connack: UInt8? = 0
        /// The reason code of a SUBACK.
        var suback: UInt8 = 1
        /// The reason code of a PUBACK; nil: never answers.
        var puback: UInt8? = 0
        /// Publishes to this topic end the connection.
        var forbidden: String?
        /// The reason code of a DISCONNECT before that; nil: ends without a word.
        var farewell: UInt8?
        /// Topic and payload of a message that follows each SUBACK.
        var greeting: (topic: String, payload: [UInt8])?
    }

    /// What it has seen.
    struct Seen {
        /// Bodies of all CONNECTs.
        var connects: [[UInt8]] = []
        /// Bodies of all PUBLISHs, and whether they were marked as duplicates.
        var publishes: [(body: [UInt8], isDuplicate: Bool)] = []
        /// How many DISCONNECTs.
        var goodByes = 0
        /// How many connections have ended.
        var ends = 0
    }

    let port: UInt16
    private let script: Mutex<Script>
    private let record = Mutex(Seen())

    init(_ script: Script = Script()) throws {
        self.script = Mutex(script)
        let listener = try ListeningSocket()
        port = listener.port
        Thread.detachNewThread {  // for as long as the test process runs
            while case let connection = accept(listener.descriptor, nil, nil), connection >= 0 {
                Thread.detachNewThread { self.serve(connection) }
            }
        }
    }

    /// What it has seen so far.
    var seen: Seen { record.withLock { $0 } }

    /// Behaves otherwise from now on.
    func change(_ script: Script) { self.script.withLock { $0 = script } }

    private func serve(_ connection: Int32) {
        while let (type, body) = packet(connection), answer(connection, type, body) {}
        close(connection)
        record.withLock { $0.ends += 1 }
    }

    /// Answers a packet.
    /// - Returns: whether the connection goes on.
    private func answer(_ connection: Int32, _ type: UInt8, _ body: [UInt8]) -> Bool {
        let script = script.withLock { $0 }
        switch type >> 4 {
        case 1:
            record.withLock { $0.connects.append(body) }
            guard let code = script.connack else { return true }
            send(connection, [0x20, 3, 0, code, 0])
            return code == 0
        case 3:
            record.withLock { $0.publishes.append((body, type & 8 != 0)) }
            let length = Int(body[0]) << 8 | Int(body[1])
            if let forbidden = script.forbidden, body[2..<2 + length].elementsEqual(forbidden.utf8) {
                if let code = script.farewell { send(connection, [0xE0, 2, code, 0]) }
                return false
            }
            let id = body[2 + length..<4 + length]
            switch script.puback {
            case nil: break
            case 0: send(connection, [0x40, 2] + id)
            case .some(let code): send(connection, [0x40, 4] + id + [code, 0])
            }
        case 8:
            send(connection, [0x90, 4, body[0], body[1], 0, script.suback])
            if let (topic, payload) = script.greeting {
                let message = [0, UInt8(topic.utf8.count)] + Array(topic.utf8) + [0] + payload
                send(connection, [0x30, UInt8(message.count)] + message)
            }
        case 12: send(connection, [0xD0, 0])
        case 14:
            record.withLock { $0.goodByes += 1 }
            return false
        default: break
        }
        return true
    }

    private func packet(_ connection: Int32) -> (type: UInt8, body: [UInt8])? {
        guard let type = bytes(connection, 1)?.first else { return nil }
        var length = 0
        for shift in stride(from: 0, to: 28, by: 7) {
            guard let byte = bytes(connection, 1)?.first else { return nil }
            length |= Int(byte & 127) << shift
            if byte < 128 { break }
        }
        return bytes(connection, length).map { (type, $0) }
    }

    private func bytes(_ connection: Int32, _ count: Int) -> [UInt8]? {
        var all = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let part = unsafe all.withUnsafeMutableBytes { buffer in
                unsafe buffer.baseAddress.map { unsafe read(connection, $0 + got, count - got) } ?? 0
            }
            guard part > 0 else { return nil }
            got += part
        }
        return all
    }

    private func send(_ connection: Int32, _ bytes: [UInt8]) {
        _ = unsafe bytes.withUnsafeBytes { buffer in
            unsafe Glibc.send(connection, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
        }
    }
}
