extension Condition {
    /// A place on Earth, as a circle or a polygon.
    public struct Place: ConditionFields {
        /// Which side of the border holds.
        public enum Side: String, Sendable, Codable, CaseIterable {
            /// The sensor left the place.
            case outside
            /// The sensor entered the place.
            case inside
        }

        /// A circle.
        public struct Circle: Codable, Sendable, Equatable {
            /// Degrees of its centre, -90…90.
            public var latitude: Double
            /// Degrees of its centre, -180…180.
            public var longitude: Double
            /// Metres.
            public var radius: Double

            /// That circle.
            public init(latitude: Double, longitude: Double, radius: Double) {
                self.latitude = latitude
                self.longitude = longitude
                self.radius = radius
            }

            /// Reads `{latitude, longitude, radius}`.
            /// - Throws: `DecodingError`.
            public init(from decoder: any Decoder) throws {
                let object = try StrictContainer(decoder, ["latitude", "longitude", "radius"])
                self.init(
                    latitude: try object.required("latitude"), longitude: try object.required("longitude"),
                    radius: try object.required("radius"))
            }
        }

        /// A corner of a polygon.
        public struct Corner: Codable, Sendable, Equatable {
            /// Degrees, -90…90.
            public var latitude: Double
            /// Degrees, -180…180.
            public var longitude: Double

            /// That corner.
            public init(latitude: Double, longitude: Double) {
                self.latitude = latitude
                self.longitude = longitude
            }

            /// Reads `{latitude, longitude}`.
            /// - Throws: `DecodingError`.
            public init(from decoder: any Decoder) throws {
                let object = try StrictContainer(decoder, ["latitude", "longitude"])
                self.init(latitude: try object.required("latitude"), longitude: try object.required("longitude"))
            }
        }

        /// When the condition holds.
        public var when: Side
        /// A circle; nil if there is a polygon.
        public var circle: Circle?
        /// At least three corners; nil if there is a circle.
        public var polygon: [Corner]?
        /// How many metres the sensor must be back beyond the border before the alarm clears; nil: 0.
        public var margin: Double?

        /// Inside or outside of a circle or polygon.
        public init(when: Side, circle: Circle? = nil, polygon: [Corner]? = nil, margin: Double? = nil) {
            self.when = when
            self.circle = circle
            self.polygon = polygon
            self.margin = margin
        }

        static let names = ["when", "circle", "polygon", "margin"]
    }

    /// On at least so many sensors of a target.
    public struct Several: ConditionFields {
        /// How many sensors.
        public var count: Int
        /// What must hold on each of them.
        public var condition: Condition

        /// On so many sensors.
        public init(count: Int, condition: Condition) {
            self.count = count
            self.condition = condition
        }

        private enum CodingKeys: String, CodingKey {
            case count
            case condition = "when"
        }

        static let names = ["count", "when"]
    }

    /// A word that the sensor reports.
    public struct Word: ConditionFields {
        /// The property, such as `state`.
        public var property: String
        /// The words for which the condition holds.
        public var isOneOf: [String]

        /// One of those words.
        public init(property: String, isOneOf: [String]) {
            self.property = property
            self.isOneOf = isOneOf
        }

        private enum CodingKeys: String, CodingKey {
            case property
            case isOneOf = "is"
        }

        static let names = ["property", "is"]
    }
}
