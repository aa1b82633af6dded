// Trigonometry in degrees, exact where the angle or the ratio is.

import Columnar
import Diagnostics
import Glibc

enum DegreeFunctions {
    private static func text(_ text: String, _ example: String? = nil, _ result: String? = nil) -> FunctionDocumentation
    {
        FunctionDocumentation("Mathematics", text, example: example, result: result)
    }

    private static let radian = Double.pi / 180
    // The quotients below make the results at 30, 45 and 60 degrees exact.
    private static let sine30 = sin(30 * radian)
    private static let oneMinusCosine60 = 1 - cos(60 * radian)
    private static let tangent45 = sinFirstQuadrant(45) / cosFirstQuadrant(45)
    private static let cotangent45 = cosFirstQuadrant(45) / sinFirstQuadrant(45)
    private static let arcSineHalf = asin(0.5)
    private static let arcCosineHalf = acos(0.5)
    private static let arcTangentOne = atan(1.0)

    private static func sinTo30(_ x: Double) -> Double { sin(x * radian) / sine30 / 2 }
    private static func cosTo60(_ x: Double) -> Double { 1 - (1 - cos(x * radian)) / oneMinusCosine60 / 2 }
    private static func sinFirstQuadrant(_ x: Double) -> Double { x <= 30 ? sinTo30(x) : cosTo60(90 - x) }
    private static func cosFirstQuadrant(_ x: Double) -> Double { x <= 60 ? cosTo60(x) : sinTo30(90 - x) }

    /// The angle in 0…90 that has the same ratios but for signs, and those of sine and cosine.
    private static func reduced(_ degrees: Double) -> (angle: Double, sine: Double, cosine: Double) {
        var angle = fmod(degrees, 360)
        var sine = 1.0
        var cosine = 1.0
        if angle < 0 {
            angle = -angle
            sine = -sine
        }
        if angle > 180 {
            angle = 360 - angle
            sine = -sine
        }
        if angle > 90 {
            angle = 180 - angle
            cosine = -cosine
        }
        return (angle, sine, cosine)
    }

    private static func sine(_ x: Double) -> Double {
        let (angle, sign, _) = reduced(x)
        return sign * sinFirstQuadrant(angle)
    }
    private static func cosine(_ x: Double) -> Double {
        let (angle, _, sign) = reduced(x)
        return sign * cosFirstQuadrant(angle)
    }
    private static func tangent(_ x: Double) -> Double {
        let (angle, sine, cosine) = reduced(x)
        let value = sine * cosine * (sinFirstQuadrant(angle) / cosFirstQuadrant(angle) / tangent45)
        return value == 0 ? 0 : value
    }
    private static func cotangent(_ x: Double) -> Double {
        let (angle, sine, cosine) = reduced(x)
        let value = sine * cosine * (cosFirstQuadrant(angle) / sinFirstQuadrant(angle) / cotangent45)
        return value == 0 ? 0 : value
    }

    private static func asinFirstQuadrant(_ x: Double) -> Double {
        x <= 0.5 ? asin(x) / arcSineHalf * 30 : 90 - acos(x) / arcCosineHalf * 60
    }
    private static func acosFirstQuadrant(_ x: Double) -> Double {
        x <= 0.5 ? 90 - asin(x) / arcSineHalf * 30 : acos(x) / arcCosineHalf * 60
    }
    private static func arcSine(_ x: Double) -> Double { x >= 0 ? asinFirstQuadrant(x) : -asinFirstQuadrant(-x) }
    private static func arcCosine(_ x: Double) -> Double {
        x >= 0 ? acosFirstQuadrant(x) : 90 + asinFirstQuadrant(-x)
    }

    static func register(in registry: FunctionRegistry) {
        func checked(
            _ name: String, _ example: String, _ result: String, _ op: @escaping @Sendable (Double) -> Double,
            isValid: @escaping @Sendable (Double) -> Bool
        ) {
            registry.scalar(
                name, [.float64], .float64, canFail: true,
                text("The function of that name, in degrees.", example, result)
            ) { arguments, type, count, _ in
                try Kernel.checkedUnary(arguments, type, count) { (x: Double, failed: inout UInt8) -> Double in
                    if x.isNaN { return x }
                    if !isValid(x) {
                        failed |= 1
                        return 0
                    }
                    return op(x)
                } error: { _ in
                    QueryError(.numericValueOutOfRange, "input is out of range")
                }
            }
        }
        checked("sind", "sind(30)", "0.5", { sine($0) }, isValid: { $0.isFinite })
        checked("cosd", "cosd(60)", "0.5", { cosine($0) }, isValid: { $0.isFinite })
        checked("tand", "tand(45)", "1", { tangent($0) }, isValid: { $0.isFinite })
        checked("cotd", "cotd(45)", "1", { cotangent($0) }, isValid: { $0.isFinite })
        checked("asind", "asind(0.5)", "30", { arcSine($0) }, isValid: { $0 >= -1 && $0 <= 1 })
        checked("acosd", "acosd(0.5)", "60", { arcCosine($0) }, isValid: { $0 >= -1 && $0 <= 1 })
        checked("atand", "atand(1)", "45", { atan($0) / arcTangentOne * 45 }, isValid: { _ in true })
        registry.scalar(
            "atan2d", [.float64, .float64], .float64,
            text("The angle of a point, in degrees.", "atan2d(1, 0)", "90")
        ) { arguments, type, count, _ in
            Kernel.binary(arguments[0], arguments[1], type, count) { (y: Double, x: Double) -> Double in
                y.isNaN || x.isNaN ? .nan : atan2(y, x) / arcTangentOne * 45
            }
        }
    }
}
